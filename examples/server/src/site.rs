//! Under which names this server answers, and to pages from where.
//!
//! A name is compared whole, after it was parsed. A page elsewhere cannot choose what the browser sends as Host and
//! Origin, so who rebinds `evil.example` to 127.0.0.1, or owns `127.attacker.example`, is not let in.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Whether a page came over TLS. A proxy in front of us may provide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// A place this server can be reached at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    scheme: Scheme,
    /// In lower case; IPv6 in brackets.
    host: String,
    port: u16,
}

impl Site {
    /// A site as `--host` names it: `NAME`, `NAME:PORT` or, behind a proxy with TLS, `https://NAME`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn from_flag(text: &str, port: u16) -> Result<Site, &'static str> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err("its scheme is neither http nor https"),
            None => (Scheme::Http, text),
        };
        let (host, named) = authority(rest).ok_or("it is no host name; as in `NAME`, `NAME:PORT` or `https://NAME`")?;
        let usual = if text.contains("://") { scheme.port() } else { port };
        Ok(Site { scheme, host, port: named.unwrap_or(usual) })
    }

    /// Whether a page of this `Origin` is a page of this site.
    fn is_origin(&self, origin: &str) -> bool {
        let (scheme, rest) = match origin.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return false,
        };
        let Some((host, port)) = authority(rest) else { return false };
        scheme == self.scheme && host == self.host && port.unwrap_or(scheme.port()) == self.port
    }

    /// `host:port`, the port always there: what a client that dialled this site calls it.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Sites(Vec<Site>);

impl Sites {
    /// Loopback at `port` in its three spellings, the address bound where it is another, and `more`.
    pub(crate) fn new(bound: IpAddr, port: u16, more: &[Site]) -> Sites {
        let at = |host: String| Site { scheme: Scheme::Http, host, port };
        let mut sites: Vec<Site> = ["127.0.0.1", "[::1]", "localhost"].map(|host| at(host.to_owned())).into();
        let bound = match bound {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        sites.push(at(bound));
        sites.extend_from_slice(more);
        Sites(sites)
    }

    /// The site that a Host header names.
    pub(crate) fn named(&self, host: &str) -> Option<&Site> {
        let (name, port) = authority(host)?;
        self.0.iter().find(|site| site.host == name && site.port == port.unwrap_or(site.scheme.port()))
    }

    /// The site that a Host header names, if a page of this origin is one of its own. Two sites may share a name and a port and
    /// differ in the scheme.
    pub(crate) fn named_by(&self, host: &str, origin: &str) -> Option<&Site> {
        let (name, port) = authority(host)?;
        let mut sites = self.0.iter().filter(|site| site.host == name && site.port == port.unwrap_or(site.scheme.port()));
        sites.find(|site| site.is_origin(origin))
    }
}

/// Host and port of `host`, `host:port` or `[v6]:port`, and nothing else: no user, no path, no odd spelling.
fn authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, rest) = if let Some(bracketed) = text.strip_prefix('[') {
        let (v6, rest) = bracketed.split_once(']')?;
        (format!("[{}]", v6.parse::<Ipv6Addr>().ok()?), rest)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let is_name =
            !name.is_empty() && name.len() <= 253 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        (is_name.then(|| name.to_ascii_lowercase())?, rest)
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        _ => return None,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites() -> Sites {
        let more =
            ["Term.Example.com", "term.example.com:8080", "https://shell.example.com"].map(|flag| Site::from_flag(flag, 7673).unwrap());
        Sites::new("127.0.0.1".parse().unwrap(), 7673, &more)
    }

    #[test]
    fn host_is_one_of_ours_to_the_letter() {
        let ours = [
            ("127.0.0.1:7673", "127.0.0.1:7673"),
            ("[::1]:7673", "[::1]:7673"),
            ("[0:0:0:0:0:0:0:1]:7673", "[::1]:7673"),
            ("LocalHost:7673", "localhost:7673"),
            ("term.example.com:7673", "term.example.com:7673"),
            ("term.example.com:8080", "term.example.com:8080"),
            ("shell.example.com", "shell.example.com:443"),
        ];
        for (host, authority) in ours {
            assert_eq!(sites().named(host).map(Site::authority).as_deref(), Some(authority), "{host}");
        }
    }

    #[test]
    fn host_of_another_is_nobody() {
        let foreign = [
            "",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:76730",
            "127.0.0.1:+7673",
            "127.0.0.1:",
            "127.0.0.1:7673:7673",
            "127.0.0.1.:7673",
            "127.attacker.example:7673",
            "127.0.0.1.attacker.example:7673",
            "localhost.attacker.example:7673",
            "attacker.example:7673",
            "127.1:7673",
            "0x7f.0.0.1:7673",
            "2130706433:7673",
            "127.0.0.2:7673",
            "0.0.0.0:7673",
            "::1:7673",
            "[::1]",
            "[::1]7673",
            "[::1",
            "[::ffff:127.0.0.1]:7673",
            "user@127.0.0.1:7673",
            "127.0.0.1:7673/",
            " 127.0.0.1:7673",
            "127.0.0.1:7673, 127.0.0.1:7673",
            "xn--127.0.0.1:7673",
            "term.example.com",
            "a.term.example.com:7673",
            "shell.example.com:7673",
            "shell.example.com:80",
        ];
        for host in foreign {
            assert_eq!(sites().named(host), None, "{host}");
        }
    }

    #[test]
    fn origin_is_that_of_the_site_itself() {
        let sites = sites();
        let is_own = |host, origin| sites.named_by(host, origin).is_some();
        assert!(is_own("127.0.0.1:7673", "http://127.0.0.1:7673"));
        assert!(is_own("shell.example.com", "https://shell.example.com"));
        assert!(is_own("shell.example.com", "https://shell.example.com:443"));
        let foreign = [
            "null",
            "",
            "http://127.0.0.1",
            "https://127.0.0.1:7673",
            "http://localhost:7673",
            "http://127.0.0.1:7674",
            "http://127.0.0.1:7673/",
            "http://127.0.0.1:7673.attacker.example",
            "http://attacker.example",
            "http://127.attacker.example:7673",
            "file://",
            "HTTP://127.0.0.1:7673",
            "http://user@127.0.0.1:7673",
            "ws://127.0.0.1:7673",
            "http://127.0.0.1:7673 http://attacker.example",
            "chrome-extension://abc",
        ];
        for origin in foreign {
            assert!(!is_own("127.0.0.1:7673", origin), "{origin}");
        }
    }

    #[test]
    fn address_bound_is_a_name_too() {
        let named = |bound: &str, host: &str| Sites::new(bound.parse().unwrap(), 80, &[]).named(host).is_some();
        assert!(named("192.0.2.7", "192.0.2.7"));
        assert!(named("2001:db8::7", "[2001:db8::7]:80"));
        assert!(!named("192.0.2.7", "192.0.2.8"));
    }

    #[test]
    fn flag_that_names_no_host_is_refused() {
        for flag in ["", "ftp://a", "a b", "a/b", "https://", "a:b", "http://a:b", "*"] {
            assert!(Site::from_flag(flag, 7673).is_err(), "{flag}");
        }
        assert_eq!(Site::from_flag("http://a", 7673).unwrap().to_string(), "http://a:80");
    }
}
