//! Many subscribers at once, and more than one server.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::database::ADMIN;
use crate::support::for_each_database;
use crate::support::log::{Watcher, number};

const SUBSCRIBERS: usize = 200;
const POSTS: usize = 50;

/// Everything a watcher hears up to a number: the cursor's number and the text of each update.
async fn hear(watcher: &mut Watcher, until: u64) -> Vec<(u64, String)> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|(number, _)| *number < until) {
        let event = watcher.expect("IncidentUpdatePosted").await;
        let body = event["update"]["body"].as_str().expect("a text").to_owned();
        heard.push((number(&event["cursor"]), body));
    }
    heard
}

#[tokio::test]
async fn every_subscriber_receives_every_event_once_and_in_the_same_order() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let start = test.heads(&page).await.staff_head as u64;
        // All at once, on a page that nobody watched before: nobody may hold a connection and wait for a second.
        let sockets = join_all((0..SUBSCRIBERS).map(|_| test.socket(Some(ADMIN)))).await;
        let begin = async |socket| {
            let mut watcher = Watcher::on(socket, "shop", None, json!(null)).await;
            watcher.expect("PageSnapshot").await;
            watcher
        };
        let mut watchers = join_all(sockets.into_iter().map(begin)).await;

        let posts = join_all((0..POSTS).map(async |turn| test.say(&incident, &format!("Update {turn}")).await));
        let hearing = join_all(
            watchers
                .iter_mut()
                .map(async |watcher| hear(watcher, start + POSTS as u64).await),
        );
        let (_, heard) = tokio::join!(posts, hearing);

        let numbers: Vec<u64> = heard[0].iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (start + 1..=start + POSTS as u64).collect::<Vec<_>>());
        let mut bodies: Vec<&String> = heard[0].iter().map(|(_, body)| body).collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), POSTS, "each post once");
        assert!(heard.iter().all(|one| *one == heard[0]));
    })
    .await;
}

#[tokio::test]
async fn who_begins_while_others_post_misses_nothing() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let start = test.heads(&page).await.staff_head as u64;

        let posts = async {
            for turn in 0..POSTS {
                test.say(&incident, &format!("Update {turn}")).await;
            }
        };
        let until = start + POSTS as u64;
        let begin = async |_: usize| {
            let (mut watcher, cursor) = test.watch_from_now("shop").await;
            let from = number(&cursor);
            let first = if from < until {
                hear(&mut watcher, from + 1).await
            } else {
                Vec::new()
            };
            drop(watcher);
            if from + 1 >= until {
                return (from, first);
            }
            // And back again, with the posts still coming.
            let mut back = test.watch("shop", Some(&cursor)).await;
            (from, hear(&mut back, until).await)
        };
        let beginning = async {
            let mut heard = Vec::new();
            for round in 0..12 {
                heard.extend(join_all((0..4).map(|one| begin(round * 4 + one))).await);
            }
            heard
        };
        let (_, heard) = tokio::join!(posts, beginning);

        for (from, events) in heard {
            let numbers: Vec<u64> = events.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, (from + 1..=until).collect::<Vec<_>>());
        }
    })
    .await;
}

#[tokio::test]
async fn a_second_server_hears_of_what_the_first_commits() {
    for_each_database(async |test| {
        if !test.is_postgres() {
            return;
        }
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let other = test.another().await;
        let (mut watcher, cursor) = other.watch_from_now("shop").await;

        test.say(&incident, "one").await;
        other.say(&incident, "two").await;
        test.say(&incident, "three").await;

        let heard = hear(&mut watcher, number(&cursor) + 3).await;
        let bodies: Vec<&str> = heard.iter().map(|(_, body)| body.as_str()).collect();
        assert_eq!(bodies, ["one", "two", "three"]);
        other.stop().await;
    })
    .await;
}
