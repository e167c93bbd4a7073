//! A great many documents that are nearly right, through what stands in front of the library.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use allclear::transport::RequestError;
use allclear::transport::preflight::{Limits, check};
use async_graphql::{Request, Value, Variables};

use crate::mutator::{Mutator, count};

/// How long a document may take us: 20 ms, or ten times that without optimisation.
const PATIENCE: Duration = match cfg!(debug_assertions) {
    true => Duration::from_millis(200),
    false => Duration::from_millis(20),
};

fn outcome(result: &Result<(), RequestError>) -> String {
    match result {
        Ok(()) => "accepted".to_owned(),
        Err(error) => {
            assert_eq!(error.status.as_u16(), 400);
            let limit = error.extensions.iter().find(|(name, _)| *name == "limit");
            limit.map_or(error.code.to_owned(), |(_, limit)| format!("{} {limit}", error.code))
        }
    }
}

/// `ALLCLEAR_MUTATED_DOCUMENTS=1000000 cargo test --release --test edge mutated -- --nocapture`, with another
/// `ALLCLEAR_SEED` for others.
#[test]
#[expect(clippy::print_stderr, reason = "what was measured is said")]
fn no_mutated_document_makes_the_preflight_panic_or_take_long() {
    let documents = count("ALLCLEAR_MUTATED_DOCUMENTS", 10_000);
    let mut mutator = Mutator::new(count("ALLCLEAR_SEED", 1) as u64);
    let limits = Limits::default();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut worst = (Duration::ZERO, String::new());

    for _ in 0..documents {
        let document = mutator.document();
        let variables = Variables::from_json(mutator.variables());
        let run = || {
            let request = Request::new(document.clone()).variables(variables.clone());
            let start = Instant::now();
            let result = check(request, &limits).map(|_| ());
            (start.elapsed(), result)
        };
        let (mut took, result) = run();
        // Whatever else the machine does meanwhile is not the document's fault: it is when it is slow each time.
        for _ in 0..3 {
            if took > worst.0 {
                took = took.min(run().0);
            }
        }
        if took > worst.0 {
            worst = (took, document.clone());
        }
        *outcomes.entry(outcome(&result)).or_default() += 1;
    }

    eprintln!("{documents} documents, the slowest {:?}; {outcomes:#?}", worst.0);
    assert!(worst.0 < PATIENCE, "{:?}: {}", worst.0, worst.1);
    // They are near enough to what is right, and reach every limit that one can come upon by chance.
    assert!(outcomes["accepted"] > documents / 20, "{outcomes:#?}");
    for limit in [
        "bytes",
        "tokens",
        "nesting",
        "depth",
        "fields",
        "aliases",
        "directives",
        "cost",
        "variableBytes",
        "variableValues",
        "variableNesting",
    ] {
        let name = format!("DOCUMENT_TOO_COMPLEX {}", Value::from(limit));
        assert!(outcomes.contains_key(&name), "{name}: {outcomes:#?}");
    }
}
