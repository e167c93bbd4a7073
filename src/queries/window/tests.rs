//! Tests of keys and windows: text that comes back, and slices against a naive answer.

use proptest::prelude::*;

use super::*;

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn key(order: i64, id: u128) -> Key {
    let id = Uuid::from_u128(id);
    Key { order, id }
}

/// Keys of a list of so many items, newest first as pages list them; neighbours share their number.
fn list(length: i64) -> Vec<Key> {
    (0..length)
        .rev()
        .map(|at| key(at / 2, at.unsigned_abs().into()))
        .collect()
}

#[test]
fn a_key_comes_back_from_its_text() {
    for order in [i64::MIN, -1, 0, 1, 1_628_087_255_123, i64::MAX] {
        for id in [0, 1, u128::MAX] {
            let key = key(order, id);
            assert_eq!(Key::decode(&key.encode()), Ok(key));
        }
    }
}

#[test]
fn a_mangled_key_is_refused() {
    let whole = key(1_628_087_255_123, 7).encode();

    for index in 0..whole.len() {
        for other in ALPHABET.chars() {
            let mut mangled = whole.clone();
            mangled.replace_range(index..=index, &other.to_string());
            assert_eq!(Key::decode(&mangled).is_ok(), mangled == whole, "{mangled}");
        }
        let mut shorter = whole.clone();
        shorter.remove(index);
        assert_eq!(Key::decode(&shorter), Err(CursorInvalid));
        assert_eq!(Key::decode(&whole[..index]), Err(CursorInvalid));
    }
    for text in [
        format!("{whole}A"),
        format!("{whole}="),
        format!(" {whole}"),
        "é".to_owned(),
    ] {
        assert_eq!(Key::decode(&text), Err(CursorInvalid), "{text}");
    }
}

#[test]
fn a_key_of_another_version_is_refused() {
    let mut bytes = vec![2u8];
    bytes.extend([0; 24]);
    bytes.extend(check(&bytes));

    assert_eq!(Key::decode(&URL_SAFE_NO_PAD.encode(bytes)), Err(CursorInvalid));
}

/// The rule of the Relay specification, word for word: cut at the keys, then take from one end. There is more on a side
/// when items were left out there.
fn naive(all: &[Key], window: &Window) -> (Vec<Key>, bool, bool) {
    let place = |key: Option<Key>| key.and_then(|key| all.iter().position(|one| *one == key));
    let begin = place(window.after).map_or(0, |at| at + 1);
    let end = place(window.before).unwrap_or(all.len()).max(begin);
    let (from, until) = if window.from_end {
        (begin.max(end.saturating_sub(window.limit)), end)
    } else {
        (begin, end.min(begin + window.limit))
    };
    let left_out_after = until < end || window.before.is_some();
    let left_out_before = from > begin || window.after.is_some();
    (all[from..until].to_vec(), left_out_after, left_out_before)
}

#[test]
fn every_window_on_every_short_list_is_the_naive_one() {
    let mut windows = 0;
    for length in 0..=6 {
        let all = list(length);
        let keys: Vec<Option<Key>> = std::iter::once(None).chain(all.iter().copied().map(Some)).collect();
        for limit in 1..=7 {
            for from_end in [false, true] {
                for &after in &keys {
                    for &before in &keys {
                        let window = Window {
                            limit,
                            from_end,
                            after,
                            before,
                        };

                        let found = Slice::of(all.clone(), &window, |one| *one, |own, other| own < other);

                        let found = (found.items, found.has_next, found.has_previous);
                        assert_eq!(found, naive(&all, &window), "{window:?} on {length}");
                        windows += 1;
                    }
                }
            }
        }
    }
    assert_eq!(windows, 7 * 2 * (1 + 4 + 9 + 16 + 25 + 36 + 49));
}

#[test]
fn what_lies_around_a_slice_is_said_without_a_guess() {
    let all = list(6);
    for begin in 0..=all.len() {
        for end in begin..=all.len() {
            let window = Window {
                limit: 7,
                from_end: false,
                after: begin.checked_sub(1).map(|at| all[at]),
                before: all.get(end).copied(),
            };

            let found = Slice::of(all.clone(), &window, |one| *one, |own, other| own < other);

            assert_eq!(found.items, all[begin..end]);
            assert_eq!((found.has_previous, found.has_next), (begin > 0, end < all.len()));
        }
    }
}

#[test]
fn a_walk_in_either_direction_sees_every_item_once() {
    let all = list(7);
    for limit in 1..=8 {
        for from_end in [false, true] {
            let mut window = Window {
                limit,
                from_end,
                after: None,
                before: None,
            };
            let mut seen: Vec<Key> = Vec::new();
            loop {
                let slice = Slice::of(all.clone(), &window, |one| *one, |own, other| own < other);
                let more = if from_end {
                    window.before = slice.items.first().copied();
                    seen.splice(0..0, slice.items);
                    slice.has_previous
                } else {
                    window.after = slice.items.last().copied();
                    seen.extend(slice.items);
                    slice.has_next
                };
                if !more {
                    break;
                }
            }
            assert_eq!(seen, all, "{limit} at a time, from the end: {from_end}");
        }
    }
}

proptest! {
    #[test]
    fn any_key_comes_back_from_its_text(order in any::<i64>(), id in any::<u128>()) {
        let key = key(order, id);

        prop_assert_eq!(Key::decode(&key.encode()), Ok(key));
    }

    #[test]
    fn any_text_is_a_key_or_refused(text in "\\PC{0,60}") {
        prop_assert!(Key::decode(&text).is_ok_and(|key| key.encode() == text) || Key::decode(&text).is_err());
    }
}
