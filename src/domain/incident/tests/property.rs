//! What holds whatever is posted and edited.

use proptest::prelude::*;

use super::*;

const OPEN: [IncidentStatus; 3] = [Investigating, Identified, Monitoring];

/// Something people do to an open incident.
#[derive(Clone, Debug)]
enum Act {
    Post(IncidentStatus, i64, Vec<Change>),
    Edit(prop::sample::Index, Option<String>, Option<i64>),
    Reopen(i64),
    Override(Option<Impact>),
    Start(i64),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let one = (31..35_u128, prop::sample::select(ComponentStatus::ALL));
    prop::collection::btree_map(31..35_u128, one.prop_map(|(_, to)| to), 0..4)
        .prop_map(|named| named.into_iter().map(|(number, to)| change(number, to)).collect())
}

fn act() -> impl Strategy<Value = Act> {
    let status = prop::sample::select(vec![Investigating, Identified, Monitoring, Resolved]);
    prop_oneof![
        6 => (status, -2..70_i64, changes()).prop_map(|(status, at, changes)| Act::Post(status, at, changes)),
        3 => (any::<prop::sample::Index>(), prop::option::of("[ab]{1,2}"), prop::option::of(-2..70_i64))
            .prop_map(|(index, body, at)| Act::Edit(index, body, at)),
        1 => (0..60_i64).prop_map(Act::Reopen),
        1 => prop::option::of(prop::sample::select(Impact::ALL)).prop_map(Act::Override),
        1 => (-5..5_i64).prop_map(Act::Start),
    ]
}

fn perform(incident: &mut Incident, number: u128, act: Act) -> Result<bool, Refused> {
    match act {
        Act::Post(status, at, changes) => {
            let post = Post {
                changes,
                ..post(number, status, minute(at))
            };
            incident.post(post, now()).map(|()| true)
        }
        Act::Edit(index, body, at) => {
            let update = index.get(&incident.updates).id;
            let display_at = at.map(minute);
            incident.edit(update, Edit { body, display_at }, now())
        }
        Act::Reopen(at) => incident
            .reopen(post(number, Identified, minute(at)), now())
            .map(|()| true),
        Act::Override(impact) => {
            let impact_override = Some(impact);
            let amendment = Amendment {
                impact_override,
                ..Amendment::default()
            };
            incident.amend(amendment, now())
        }
        Act::Start(at) => {
            let amendment = Amendment {
                started_at: Some(minute(at)),
                ..Amendment::default()
            };
            incident.amend(amendment, now())
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_done_the_impact_never_falls_and_the_timeline_stays_sorted(acts in prop::collection::vec(act(), 0..25)) {
        let mut incident = incident(Investigating);
        for (number, act) in (1..).zip(acts) {
            let before = incident.clone();

            let done = perform(&mut incident, number, act);

            prop_assert!(incident.peak_impact >= before.peak_impact);
            prop_assert!(incident.peak_impact >= timeline::peak(&incident.updates));
            prop_assert!(incident.updates.is_sorted_by_key(|update| (update.display_at, update.number)));
            prop_assert!(incident.updates.iter().all(|update| update.display_at >= incident.started_at));
            match done {
                Ok(true) => prop_assert_eq!(incident.version, before.version + 1),
                Ok(false) | Err(_) => prop_assert_eq!(&incident, &before),
            }
            prop_assert_eq!(incident.status == Resolved, incident.resolved_at.is_some());
        }
    }

    #[test]
    fn any_order_of_posting_gives_the_same_timeline(
        (in_order, shuffled) in prop::collection::vec((prop::sample::select(OPEN.as_slice()), changes()), 0..8)
            .prop_map(|updates| {
                let at = |(index, (status, changes)): (u128, _)| Post {
                    changes,
                    ..post(index, status, minute(i64::try_from(index).expect("there are few")))
                };
                (1..).zip(updates).map(at).collect::<Vec<_>>()
            })
            .prop_flat_map(|posts| (Just(posts.clone()), Just(posts).prop_shuffle()))
    ) {
        let timeline = |posts: Vec<Post<IncidentStatus>>| {
            let mut updates = posts.into_iter().fold(incident(Investigating), |it, post| posted(&it, post)).updates;
            for update in &mut updates {
                update.number = 0;
            }
            updates
        };

        let (expected, found) = (timeline(in_order), timeline(shuffled));

        prop_assert_eq!(timeline::affected(&found), timeline::affected(&expected));
        prop_assert_eq!(found, expected);
    }
}
