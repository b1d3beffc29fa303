//! Tokens that go on with a listing: opaque to callers, and refused where they were altered or belong to another request.

use super::hash::mix2;
use xxhash_rust::xxh64::xxh64;

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Token {
    /// Which item.
    pub(super) item: u64,
    /// Where within the item.
    pub(super) within: u64,
}

/// Makes and reads tokens of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens {
    secret: u64,
    request: u64,
}

impl Tokens {
    /// Tokens are only good for the same seed and the same request, `request` being its text without the token.
    pub(super) fn new(seed: u64, request: &str) -> Self {
        Self { secret: mix2(seed, 0x70CE), request: xxh64(request.as_bytes(), seed) }
    }

    fn seal(self, token: Token) -> u64 {
        mix2(mix2(mix2(self.secret, self.request), token.item), token.within)
    }

    pub(super) fn write(self, token: Token) -> String {
        // Masked, so that nobody is tempted to count on what they see.
        let seal = self.seal(token);
        let (a, b) = (token.item ^ mix2(seal, 1), token.within ^ mix2(seal, 2));
        format!("{seal:016x}{a:016x}{b:016x}")
    }

    /// Reads a token; none where it isn't one of ours for this request.
    pub(super) fn read(self, text: &str) -> Option<Token> {
        let part = |i: usize| text.get(i * 16..(i + 1) * 16).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let (seal, a, b) = (part(0)?, part(1)?, part(2)?);
        let token = Token { item: a ^ mix2(seal, 1), within: b ^ mix2(seal, 2) };
        (text.len() == 48 && self.seal(token) == seal).then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_request_and_unaltered_only() {
        let tokens = Tokens::new(1, "a");
        let token = Token { item: 7, within: u64::MAX };
        let text = tokens.write(token);
        assert_eq!(tokens.read(&text), Some(token));
        assert_eq!(Tokens::new(1, "b").read(&text), None);
        assert_eq!(Tokens::new(2, "a").read(&text), None);
        assert_eq!(tokens.read(&text[1..]), None);
        assert_eq!(tokens.read(&format!("{text}0")), None);
        let last = if text.ends_with('0') { "1" } else { "0" };
        assert_eq!(tokens.read(&format!("{}{last}", &text[..47])), None);
        assert_eq!(tokens.read("é"), None);
    }
}
