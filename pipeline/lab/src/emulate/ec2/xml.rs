//! Writes XML.

/// A document that grows from its beginning to its end.
#[derive(Debug)]
pub(super) struct Xml(String);

impl Xml {
    /// Begins a document with its outermost element.
    pub(super) fn open(root: &str, namespace: &str) -> Self {
        let xmlns = if namespace.is_empty() { String::new() } else { format!(" xmlns=\"{namespace}\"") };
        Self(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}{xmlns}>"))
    }

    /// Ends the document.
    pub(super) fn close(mut self, root: &str) -> Vec<u8> {
        self.end(root);
        self.0.into_bytes()
    }

    fn end(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    fn begin(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    /// Writes an element with what it holds.
    pub(super) fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.begin(name);
        write(self);
        self.end(name);
    }

    /// Writes an element with a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.begin(name);
        for c in text.chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                // XML 1.0 has no other control characters, not even escaped.
                c if c.is_control() && !['\t', '\n', '\r'].contains(&c) => self.0.push('?'),
                c => self.0.push(c),
            }
        }
        self.end(name);
    }
}
