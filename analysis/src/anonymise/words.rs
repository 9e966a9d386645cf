//! Names of the host and of users, found in a run and taken out of texts as whole words.

/// Directories whose entries are homes.
const HOMES: [&str; 3] = ["/home/", "/Users/", "~"];

/// Users that every machine has.
const EVERYBODYS: [&str; 2] = ["root", "nobody"];

/// The words, longest first, each with what it is.
#[derive(Debug)]
pub(super) struct Words {
    list: Vec<(String, &'static str)>,
}

impl Words {
    /// A host's full name, its parts before and after the first dot; and users.
    pub(super) fn new(host: &str, users: &[String]) -> Self {
        let mut words = Self { list: Vec::new() };
        let (short, domain) = host.split_once('.').unwrap_or((host, ""));
        for name in [host, short] {
            words.add(name, "host");
        }
        // A top-level domain alone names nobody.
        if domain.contains('.') {
            words.add(domain, "host");
        }
        users.iter().for_each(|u| words.add(u, "user"));
        words
    }

    /// Remembers the users whose homes a text names.
    pub(super) fn learn(&mut self, text: &str) {
        for home in HOMES {
            for (at, _) in text.match_indices(home) {
                let rest = &text[at + home.len()..];
                let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
                self.add(&rest[..end], "user");
            }
        }
    }

    fn add(&mut self, word: &str, what: &'static str) {
        let word = word.trim_matches(|c: char| !is_word(c));
        let plain_number = word.len() < 4 && word.bytes().all(|b| b.is_ascii_digit());
        let known = self.list.iter().any(|(w, _)| w.eq_ignore_ascii_case(word));
        if word.len() < 2 || plain_number || known || EVERYBODYS.contains(&word) {
            return;
        }
        self.list.push((word.to_owned(), what));
        self.list.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
    }

    /// A text, names written `<host>` and `<user>`.
    pub(super) fn in_text(&self, text: &str) -> String {
        self.replace(text, |what| format!("<{what}>"))
    }

    /// An id, which has no brackets.
    pub(super) fn in_id(&self, text: &str) -> String {
        self.replace(text, |what| format!("anonymous-{what}"))
    }

    fn replace(&self, text: &str, with: impl Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(c) = rest.chars().next() {
            let found = if before.is_some_and(is_word) { None } else { self.at(rest) };
            match found {
                Some((length, what)) => {
                    out.push_str(&with(what));
                    before = rest[..length].chars().next_back();
                    rest = &rest[length..];
                }
                None => {
                    out.push(c);
                    before = Some(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out
    }

    /// The longest name that a text begins with, whole.
    fn at(&self, text: &str) -> Option<(usize, &'static str)> {
        let whole = |(word, _): &&(String, &str)| {
            let head = text.get(..word.len());
            head.is_some_and(|h| h.eq_ignore_ascii_case(word))
                && !text[word.len()..].starts_with(is_word)
        };
        self.list.iter().find(whole).map(|(word, what)| (word.len(), *what))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name(c: char) -> bool {
    is_word(c) || "-.$@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_go_and_parts_of_others_stay() {
        let words = Words::new("vm", &["ada".to_owned(), "root".to_owned()]);
        for (text, expected) in [
            ("on vm: ada@vm said no", "on <host>: <user>@<host> said no"),
            ("kvm-clock, vmware, adamant, vm_2", "kvm-clock, vmware, adamant, vm_2"),
            ("runs/20260102T030405Z-vm-00ff", "runs/20260102T030405Z-<host>-00ff"),
            ("VM, as root", "<host>, as root"),
            ("vm", "<host>"),
            ("größe vmä ävm", "größe vmä ävm"),
        ] {
            assert_eq!(words.in_text(text), expected, "{text}");
        }
        assert_eq!(words.in_id("ada-lock/threads"), "anonymous-user-lock/threads");
    }

    #[test]
    fn a_host_goes_by_its_full_name_its_short_one_and_its_domain() {
        let words = Words::new("lab-7.cs.example.edu", &[]);
        let text = "lab-7.cs.example.edu, lab-7, mail.cs.example.edu, lab-77, edu";
        assert_eq!(words.in_text(text), "<host>, <host>, mail.<host>, lab-77, edu");
    }

    #[test]
    fn users_are_known_by_their_homes() {
        let mut words = Words::new("h0st", &[]);
        for text in
            ["/home/ada.l/x", "in '/Users/grace'", "~linus/bin and ~/bin", "/home/", "/root/x"]
        {
            words.learn(text);
        }
        let text = "ada.l, grace and linus, not root, not bin";
        assert_eq!(words.in_text(text), "<user>, <user> and <user>, not root, not bin");
    }
}
