//! Input: a scope.

use tacit::types::Words;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(words) = text.parse::<Words>() else { return };
    let shown = words.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&words));
    let all: Vec<&str> = words.iter().collect();
    assert_eq!(shown, all.join(" "));
    for (position, word) in all.iter().enumerate() {
        assert!(!all[..position].contains(word), "{word} twice");
        // RFC 6749, section 3.3.
        assert!(word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)), "{word:?}");
        assert!(words.contains(word));
    }
    for word in text.split(' ') {
        assert!(word.is_empty() || words.contains(word), "{word} was lost");
    }
    assert!(words.are_within(&words));
}
