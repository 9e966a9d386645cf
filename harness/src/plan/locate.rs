//! Where in a plan file something stands, as `file:line:column`. Judges nothing.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a plan file.
pub(super) struct Source<'a> {
    shown: &'a str,
    text: &'a str,
    table: Option<DeTable<'a>>,
}

impl<'a> Source<'a> {
    /// `shown` is the file's name in errors. Text that is no TOML has places too, but no keys.
    pub(super) fn new(text: &'a str, shown: &'a str) -> Self {
        let table = DeTable::parse(text).ok().map(Spanned::into_inner);
        Self { shown, text, table }
    }

    /// The place of a byte.
    pub(super) fn at(&self, byte: usize) -> String {
        let before = &self.text[..byte.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        format!("{}:{line}:{column}", self.shown)
    }

    /// The place of the value behind these keys; the last word may be an item of a list. The file alone where
    /// nothing stands there.
    pub(super) fn value(&self, path: &[&str]) -> String {
        self.place(path, false)
    }

    /// The place of the last of these keys.
    pub(super) fn key(&self, path: &[&str]) -> String {
        self.place(path, true)
    }

    fn place(&self, path: &[&str], of_key: bool) -> String {
        let Some((last, head)) = path.split_last() else { return self.shown.to_owned() };
        let found = self.table(head).and_then(|t| {
            let (key, value) = t.get_key_value(*last)?;
            Some(if of_key { key.span().start } else { value.span().start })
        });
        found.or_else(|| self.item(head, last)).map_or(self.shown.to_owned(), |b| self.at(b))
    }

    /// The table behind these keys; of several of one name the one with that number.
    fn table(&self, path: &[&str]) -> Option<&DeTable<'a>> {
        let (first, rest) = match path.split_first() {
            None => return self.table.as_ref(),
            Some((first, rest)) => (self.table.as_ref()?.get(*first)?, rest),
        };
        rest.iter().try_fold(first, |value, key| inner(value, key))?.get_ref().as_table()
    }

    /// An item of the list behind these keys, by its text.
    fn item(&self, path: &[&str], text: &str) -> Option<usize> {
        let (last, head) = path.split_last()?;
        let items = self.table(head)?.get(*last)?.get_ref().as_array()?;
        let is = |v: &DeValue<'_>| match v {
            DeValue::Integer(i) => i.as_str() == text,
            other => other.as_str() == Some(text),
        };
        items.iter().find(|v| is(v.get_ref())).map(|v| v.span().start)
    }
}

fn inner<'t, 'a>(value: &'t Spanned<DeValue<'a>>, key: &str) -> Option<&'t Spanned<DeValue<'a>>> {
    match value.get_ref() {
        DeValue::Array(all) => all.get(key.parse::<usize>().ok()?),
        other => other.as_table()?.get(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_values_and_items_have_places() {
        let text = "a = 1\nb = [\"x\",\n  \"ü\", 30]\n[c.d]\ne = true\n";
        let source = Source::new(text, "f");
        assert_eq!(source.key(&["a"]), "f:1:1");
        assert_eq!(source.value(&["a"]), "f:1:5");
        assert_eq!(source.value(&["b"]), "f:2:5");
        assert_eq!(source.value(&["b", "x"]), "f:2:6");
        assert_eq!(source.value(&["b", "30"]), "f:3:8");
        assert_eq!(source.key(&["c", "d"]), "f:4:4");
        assert_eq!(source.value(&["c", "d", "e"]), "f:5:5");
        for nowhere in [&["z"][..], &["a", "b", "c"], &["b", "31"], &[]] {
            assert_eq!(source.value(nowhere), "f", "{nowhere:?}");
        }
        assert_eq!(Source::new("= =", "f").value(&["a"]), "f");
        let source = Source::new("[[a.b]]\nc = 1\n[[a.b]]\nc = [2, 30]\n", "f");
        assert_eq!(source.key(&["a", "b", "1", "c"]), "f:4:1");
        assert_eq!(source.value(&["a", "b", "1", "c", "30"]), "f:4:9");
        assert_eq!(source.value(&["a", "b", "2", "c"]), "f");
    }
}
