use super::is_recent_sqlite;

#[test]
fn a_sqlite_older_than_the_safe_one_is_refused() {
    for old in ["3.51.2", "3.46.1", "2.99.99", "", "garbage"] {
        assert!(!is_recent_sqlite(old), "{old}");
    }
    for recent in ["3.51.3", "3.52.0", "4.0.0"] {
        assert!(is_recent_sqlite(recent), "{recent}");
    }
}
