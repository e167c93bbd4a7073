use super::*;

fn budget(limits: Limits) -> Budget {
    Budget::new(limits)
}

fn limits() -> Limits {
    Limits {
        fields: 10,
        rows: 20,
        bytes: 30,
        time: Duration::from_secs(3),
    }
}

#[test]
fn what_fits_is_free_and_what_follows_an_excess_fails_with_its_limit() {
    let budget = budget(limits());

    budget.fields(10).expect("it fits");
    budget.rows(20).expect("it fits");
    budget.read(30).expect("it fits");
    budget.show(30).expect("reading and showing are counted separately");

    let exceeded = Exceeded {
        limit: Limit::Rows,
        max: 20,
    };
    assert_eq!(budget.rows(1), Err(exceeded));
    assert_eq!(budget.fields(0), Err(exceeded));
    assert_eq!(budget.check(), Err(exceeded));
}

#[test]
fn a_count_near_the_largest_number_does_not_wrap_around() {
    let budget = budget(limits());

    assert!(budget.fields(u64::MAX).is_err());
    assert!(budget.fields(u64::MAX).is_err());
}

#[tokio::test]
async fn an_execution_that_exceeds_a_limit_is_dropped_at_once() {
    let budget = budget(limits());

    let run = budget.run(async {
        // A resolver would return this error; others still wait.
        let _ = budget.fields(11);
        std::future::pending::<()>().await;
    });

    let exceeded = run.await.expect_err("it is over");
    assert_eq!((exceeded.limit, exceeded.max), (Limit::Fields, 10));
}

#[tokio::test]
async fn a_result_that_came_after_an_excess_is_discarded() {
    let budget = budget(limits());

    let run = budget.run(async { budget.show(31).is_err() });

    assert_eq!(run.await.map_err(|exceeded| exceeded.limit), Err(Limit::Bytes));
}

#[tokio::test]
async fn an_execution_ends_at_its_deadline() {
    let time = Duration::from_millis(20);
    let budget = budget(Limits { time, ..limits() });
    let started = Instant::now();

    let exceeded = budget.run(std::future::pending::<()>()).await.expect_err("it is late");

    assert_eq!((exceeded.limit, exceeded.max), (Limit::Time, 20));
    assert!(started.elapsed() >= time);
    assert!(budget.has_ended());
    assert_eq!(budget.remaining(), Duration::ZERO);
}

#[tokio::test]
async fn a_dropped_execution_has_ended() {
    let budget = budget(limits());
    let mut run = Box::pin(budget.run(std::future::pending::<()>()));
    let is_pending = futures_util::poll!(run.as_mut()).is_pending();

    assert!(is_pending && !budget.has_ended());
    drop(run);

    assert!(budget.has_ended());
}

#[tokio::test]
async fn a_long_computation_yields_and_is_measured() {
    let budget = budget(limits());
    let polls = AtomicU64::new(0);
    let computing = async {
        let began = thread_cpu();
        while thread_cpu() - began < Duration::from_millis(20) {
            budget.breathe().await;
        }
    };
    let mut computing = pin!(computing);
    let counted = poll_fn(|context| {
        polls.fetch_add(1, Ordering::Relaxed);
        computing.as_mut().poll(context)
    });

    budget.run(counted).await.expect("it is within its budget");

    let polls = polls.into_inner();
    assert!(polls > 2, "{polls}");
    // 20 ms are 4,000 units, less what the runtime takes between the polls.
    assert!((3_000..8_000).contains(&budget.work()), "{}", budget.work());
}

#[tokio::test]
async fn what_settles_waits_for_what_pauses() {
    let budget = budget(limits());
    let order = std::sync::Mutex::new(Vec::new());
    let note = |what| order.lock().expect("nobody panics").push(what);
    let execution = async {
        let began = Instant::now();
        while began.elapsed() < POLL_TIME * 2 {}
        let settling = async {
            budget.settle().await;
            note("settled");
        };
        let pausing = async {
            budget.breathe().await;
            note("resumed");
        };
        futures_util::join!(settling, pausing);
    };

    budget.run(execution).await.expect("it is within its budget");

    assert_eq!(order.into_inner().expect("nobody panics"), ["resumed", "settled"]);
}

#[tokio::test]
async fn breathing_outside_of_an_execution_does_not_wait() {
    budget(limits()).breathe().await;
}
