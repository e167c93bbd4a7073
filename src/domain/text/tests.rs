//! Tests of what people may write.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const CHARACTERS: LengthUnit = LengthUnit::Characters;

#[test]
fn a_title_needs_something_to_see() {
    for raw in [
        "",
        "   ",
        "\n",
        "\u{200B}\u{200D}\u{FEFF}",
        " \u{3164}\u{2800}\u{AD} ",
        "\u{E0001}",
        "\u{202E}",
    ] {
        assert_eq!(title(raw), Err(TextError::Required), "{raw:?}");
        assert_eq!(body(raw), Err(TextError::Required), "{raw:?}");
    }
}

#[test]
fn a_title_is_one_line_that_reads_as_it_is_written() {
    for c in ('\0'..='\u{1F}').chain('\u{7F}'..='\u{9F}') {
        assert_eq!(title(&format!("a{c}b")), Err(TextError::ControlCharacter), "{c:?}");
    }
    for c in ('\u{202A}'..='\u{202E}')
        .chain('\u{2066}'..='\u{2069}')
        .chain('\u{2028}'..='\u{2029}')
    {
        assert_eq!(title(&format!("a{c}b")), Err(TextError::ControlCharacter), "{c:?}");
    }
}

#[test]
fn a_body_may_hold_line_breaks_tabs_and_direction_overrides_but_no_other_control_character() {
    let kept = "one\r\ntwo\tthree \u{202E}four\u{2066}\u{2028}";
    assert_eq!(body(kept).as_deref(), Ok(kept));

    for c in ('\0'..='\u{1F}')
        .chain('\u{7F}'..='\u{9F}')
        .filter(|c| !"\n\r\t".contains(*c))
    {
        assert_eq!(body(&format!("a{c}b")), Err(TextError::ControlCharacter), "{c:?}");
        assert_eq!(
            description(&format!("a{c}b")),
            Err(TextError::ControlCharacter),
            "{c:?}"
        );
    }
}

#[test]
fn every_script_and_emoji_comes_back_the_same() {
    for raw in [
        "👩‍👩‍👧‍👦 🏳️‍🌈 🏴󠁧󠁢󠁳󠁣󠁴󠁿 👍🏽",
        "Z\u{335}\u{321}\u{34D}\u{306}\u{351}algo",
        "تعطل\u{200F} الخدمة",
        "\u{200E}שלום עולם",
        "می‌خواهم",
        "日本語 한국어 ไทย",
        "' OR 1=1 --",
        " spaces stay ",
    ] {
        assert_eq!(title(raw).as_deref(), Ok(raw));
        assert_eq!(body(raw).as_deref(), Ok(raw));
        assert_eq!(name(raw).as_deref(), Ok(raw));
        assert_eq!(external_ref(raw).as_deref(), Ok(raw));
    }
}

#[test]
fn lengths_are_counted_after_nfc() {
    let decomposed = "e\u{301}";
    assert_eq!(title(&decomposed.repeat(200)), Ok("é".repeat(200)));
    assert_eq!(
        title(&decomposed.repeat(201)),
        Err(TextError::TooLong {
            max: 200,
            unit: CHARACTERS
        })
    );
    assert_eq!(body(&decomposed.repeat(25_000)), Ok("é".repeat(25_000)));

    // Spelt as long as text can be, it is still read to the end.
    assert_eq!(title(&"\u{1112}\u{1161}\u{11AB}".repeat(200)), Ok("한".repeat(200)));
    assert_eq!(
        body(&"\u{1FBE}\u{308}\u{301}".repeat(25_000)),
        Ok("\u{390}".repeat(25_000))
    );
}

#[test]
fn one_more_than_allowed_is_too_long() {
    let too_long = |max| Err(TextError::TooLong { max, unit: CHARACTERS });

    assert_eq!(title(&"x".repeat(200)), Ok("x".repeat(200)));
    assert_eq!(title(&"x".repeat(201)), too_long(200));
    assert_eq!(title(&"😀".repeat(200)), Ok("😀".repeat(200)));
    assert_eq!(body(&"x".repeat(25_000)), Ok("x".repeat(25_000)));
    assert_eq!(body(&"x".repeat(25_001)), too_long(25_000));
    assert_eq!(description(&"😀".repeat(1_000)), Ok("😀".repeat(1_000)));
    assert_eq!(description(&"x".repeat(1_001)), too_long(1_000));
    assert_eq!(description(""), Ok(String::new()));
    // Refused unread: the answer is the same as for a text that was counted.
    assert_eq!(title(&"x".repeat(1 << 20)), too_long(200));
}

#[test]
fn a_body_of_emoji_is_held_to_its_bytes() {
    let by_bytes = Err(TextError::TooLong {
        max: 65_536,
        unit: LengthUnit::Bytes,
    });

    assert_eq!(body(&"😀".repeat(16_384)), Ok("😀".repeat(16_384)));
    assert_eq!(body(&"😀".repeat(16_385)), by_bytes);
    assert_eq!(body(&"😀".repeat(25_000)), by_bytes);
    assert_eq!(body(&"x".repeat(1 << 20)), by_bytes);
}

#[test]
fn a_slug_is_a_label_of_a_host_name() {
    let longest = "a".repeat(63);
    for raw in ["healthwise", "a", "0", "eu-west-1", "a-b", longest.as_str()] {
        assert_eq!(slug(raw).as_deref(), Ok(raw));
    }

    let longer = "a".repeat(64);
    for raw in [
        "",
        "-",
        "-a",
        "a-",
        "a--b",
        "A",
        "a b",
        "a_b",
        "a.b",
        "é",
        "a\n",
        "' OR 1=1 --",
        "%00",
        "\0",
        "../../etc/passwd",
        "ａ",
        longer.as_str(),
    ] {
        assert_eq!(slug(raw), Err(TextError::InvalidSlug), "{raw:?}");
    }
}

#[test]
fn an_idempotency_key_is_printable_ascii() {
    assert_eq!(idempotency_key("Order 66/~!").as_deref(), Ok("Order 66/~!"));
    assert_eq!(idempotency_key(&"k".repeat(200)), Ok("k".repeat(200)));

    assert_eq!(idempotency_key(""), Err(TextError::Required));
    assert_eq!(idempotency_key("  "), Err(TextError::Required));
    assert_eq!(idempotency_key("clé"), Err(TextError::NotAscii));
    assert_eq!(idempotency_key("a\0"), Err(TextError::ControlCharacter));
    assert_eq!(idempotency_key("a\x7F"), Err(TextError::ControlCharacter));
    assert_eq!(
        idempotency_key(&"k".repeat(201)),
        Err(TextError::TooLong {
            max: 200,
            unit: CHARACTERS
        })
    );
}

/// What the refusal of huge text before NFC rests on. Every character and every longer spelling of it is looked up in
/// the tables: what it decomposes to, put together again from the longest characters that decompose to the same parts.
#[test]
fn nfc_never_shortens_text_beyond_what_is_allowed_for() {
    let parts = |c: char| c.nfd().collect::<String>();
    let mut longest: HashMap<String, usize> = HashMap::new();
    for c in '\0'..=char::MAX {
        let known = longest.entry(parts(c)).or_default();
        *known = c.len_utf8().max(*known);
    }

    let mut worst = 0.0_f64;
    for c in ('\0'..=char::MAX).filter(|&c| c.nfc().eq([c])) {
        let parts: Vec<char> = c.nfd().collect();
        let mut spelled = vec![0; parts.len() + 1];
        for end in 1..=parts.len() {
            for start in 0..end {
                let piece: String = parts[start..end].iter().collect();
                if let Some(bytes) = longest.get(&piece) {
                    spelled[end] = spelled[end].max(spelled[start] + bytes);
                }
            }
        }
        worst = worst.max(spelled[parts.len()] as f64 / c.len_utf8() as f64);
    }

    assert_eq!(worst, 3.5);
    assert!(worst <= NFC_SHRINKS_BY as f64);
}

proptest! {
    #[test]
    fn what_is_accepted_is_accepted_again_unchanged(raw in any::<String>()) {
        for rule in [title, body, description, slug, idempotency_key] {
            if let Ok(text) = rule(&raw) {
                prop_assert_eq!(rule(&text), Ok(text.clone()));
                prop_assert!(!text.contains('\0'));
            }
        }
    }
}
