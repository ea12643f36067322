//! The pages, from inside the binary: nothing is read from the disk, so no path leads out of anywhere.

use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

/// Each file's path below `page/dist`, and its bytes.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// What `/` shows.
const INDEX: &str = "index.html";

/// Scripts of our own files only, connections to ourselves only, frames never. Styles may stand inline because xterm.js sets them so.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";

/// One file, ready to be served.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) bytes: &'static [u8],
    pub(crate) content_type: &'static str,
    /// Quoted, as the header wants it.
    pub(crate) etag: String,
    caching: &'static str,
}

impl Page {
    fn new(path: &str, bytes: &'static [u8]) -> Page {
        let caching = match path {
            _ if path.ends_with(".html") => "no-store",
            _ if has_hash(path) => "public, max-age=31536000, immutable",
            _ => "no-cache", // Kept, but asked about.
        };
        Page { bytes, content_type: content_type(path), etag: format!("\"{:016x}\"", fnv1a(bytes)), caching }
    }

    /// How it may be kept.
    pub(crate) fn caching(&self) -> HeaderValue {
        HeaderValue::from_static(self.caching)
    }
}

/// All of them, by path.
#[derive(Debug)]
pub(crate) struct Pages(Vec<(&'static str, Page)>);

impl Pages {
    pub(crate) fn new() -> Pages {
        Pages(FILES.iter().map(|&(path, bytes)| (path, Page::new(path, bytes))).collect())
    }

    /// What stands at the path of a URL.
    pub(crate) fn at(&self, path: &str) -> Option<&Page> {
        let wanted = match path.strip_prefix('/')? {
            "" => INDEX,
            file => file,
        };
        self.0.iter().find(|(path, _)| *path == wanted).map(|(_, page)| page)
    }
}

/// What every answer says, refusals included: no guessing of types, no framing, no sharing, no word to others of where one was.
pub(crate) fn protect(headers: &mut HeaderMap) {
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    let resource = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (opener, "same-origin"),
        (resource, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a bundler put a hash of the contents into the name: `assets/page-BX3dK9_q.js`.
fn has_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, _)) = name.split_once('.') else { return false };
    let Some((_, hash)) = stem.split_once('-') else { return false };
    hash.len() >= 8
        && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && hash.bytes().any(|byte| byte.is_ascii_digit())
}

/// Tells contents apart; nobody gains by two that look the same.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_at_the_root_and_nothing_is_outside() {
        let pages = Pages::new();
        assert_eq!(pages.at("/").unwrap().content_type, "text/html; charset=utf-8");
        for path in ["", "/x", "//", "/../Cargo.toml", "/index.html/", "/%2e%2e/", "index.html"] {
            assert!(pages.at(path).is_none(), "{path}");
        }
    }

    #[test]
    fn names_with_a_hash_are_kept_for_ever_and_pages_never() {
        let caching = |path| Page::new(path, b"").caching;
        assert_eq!(caching("index.html"), "no-store");
        assert!(caching("assets/page-BX3dK9_q.js").ends_with("immutable"));
        assert!(caching("page-0123456789abcdef.css").ends_with("immutable"));
        for path in ["page.js", "xterm-addon.js", "terminal-emulator.js", "a-1.js"] {
            assert_eq!(caching(path), "no-cache", "{path}");
        }
    }

    #[test]
    fn contents_make_the_tag() {
        assert_ne!(Page::new("a.js", b"1").etag, Page::new("a.js", b"2").etag);
        assert_eq!(Page::new("a.js", b"").etag, "\"cbf29ce484222325\"");
    }

    #[test]
    fn page_runs_no_inline_script_and_loads_nothing_from_elsewhere() {
        for (path, bytes) in FILES.iter().filter(|(path, _)| path.ends_with(".html")) {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(!text.contains("<script>") && !text.contains("://") && !text.contains(" onclick"), "{path}");
        }
    }
}
