//! Keys for this program and not for the one it is attached to, as `ssh` has them: at the beginning of a line `~.` lets go, and `~~`
//! types `~`.

/// Follows what is typed.
#[derive(Debug)]
pub struct Escapes {
    /// Nothing was typed since the line began.
    at_start: bool,
    /// A `~` began the line and is not passed on yet.
    has_tilde: bool,
}

impl Default for Escapes {
    fn default() -> Self {
        Escapes { at_start: true, has_tilde: false }
    }
}

impl Escapes {
    /// Moves `keys` to `typed`, without those for us. Returns whether to let go; then the rest of them is dropped.
    pub fn pass(&mut self, keys: &[u8], typed: &mut Vec<u8>) -> bool {
        for &key in keys {
            if std::mem::take(&mut self.has_tilde) {
                match key {
                    b'.' => return true,
                    b'~' => {}
                    _ => typed.push(b'~'),
                }
            } else if self.at_start && key == b'~' {
                (self.has_tilde, self.at_start) = (true, false);
                continue;
            }
            typed.push(key);
            self.at_start = matches!(key, b'\r' | b'\n');
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[&str]) -> (String, bool) {
        let (mut escapes, mut typed) = (Escapes::default(), Vec::new());
        let gone = keys.iter().any(|keys| escapes.pass(keys.as_bytes(), &mut typed));
        (String::from_utf8(typed).unwrap(), gone)
    }

    #[test]
    fn a_tilde_and_a_dot_at_the_beginning_of_a_line_let_go() {
        assert_eq!(typed(&["~."]), ("".into(), true));
        assert_eq!(typed(&["ls\r", "~", "."]), ("ls\r".into(), true));
    }

    #[test]
    fn elsewhere_and_doubled_and_before_other_keys_it_is_a_tilde() {
        assert_eq!(typed(&["cd ~.\r"]), ("cd ~.\r".into(), false));
        assert_eq!(typed(&["~~."]), ("~.".into(), false));
        assert_eq!(typed(&["~", "/bin/ls\r"]), ("~/bin/ls\r".into(), false));
        assert_eq!(typed(&["~\r~."]), ("~\r".into(), true));
    }
}
