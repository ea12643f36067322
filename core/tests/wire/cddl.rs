//! As much of CDDL (RFC 8610) as `core/protocol.cddl` uses, to hold golden bodies to it.
//!
//! Maps are closed here, although receivers ignore unknown keys: what we send must be named. Deliberately absent: everything else
//! of the language; a construct that is not known here fails the test.

use std::collections::BTreeMap;

use ciborium::Value;

/// The rules of a file.
pub(crate) struct Cddl(BTreeMap<String, Type>);

#[derive(Debug)]
enum Type {
    Name(String),
    Text(String),
    Range(i128, i128),
    /// Of this length, or of any.
    Bytes(Option<usize>),
    Map(Vec<Entry>),
    /// `[* type]` and `[+ type]`
    List(Box<Type>),
    /// `[type, type]`
    Tuple(Vec<Type>),
    Choice(Vec<Type>),
}

#[derive(Debug)]
struct Entry {
    optional: bool,
    /// None for `* tstr => type`.
    key: Option<String>,
    value: Type,
}

impl Cddl {
    pub(crate) fn parse(text: &str) -> Cddl {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        let mut rules = BTreeMap::new();
        while parser.at < parser.tokens.len() {
            let name = parser.next();
            parser.expect("=");
            let before = rules.insert(name.clone(), parser.choice());
            assert!(before.is_none(), "{name} has two rules");
        }
        Cddl(rules)
    }

    pub(crate) fn has(&self, rule: &str) -> bool {
        self.0.contains_key(rule)
    }

    /// The texts a rule allows, where it is a choice of texts.
    pub(crate) fn names(&self, rule: &str) -> Vec<&str> {
        let Type::Choice(options) = &self.0[rule] else { panic!("{rule} is no choice") };
        options.iter().map(|option| if let Type::Text(name) = option { &name[..] } else { panic!("{rule} has {option:?}") }).collect()
    }

    /// The keys of all maps below a rule, as `rule.key`.
    pub(crate) fn keys(&self, rule: &str) -> Vec<String> {
        let mut keys = Vec::new();
        self.walk(rule, &self.0[rule], &mut keys);
        keys
    }

    fn walk(&self, path: &str, rule: &Type, keys: &mut Vec<String>) {
        match rule {
            Type::Map(entries) => {
                for Entry { key, value, .. } in entries {
                    if let Some(key) = key {
                        let path = format!("{path}.{key}");
                        self.walk(&path, value, keys);
                        keys.push(path);
                    }
                }
            }
            Type::List(item) => self.walk(path, item, keys),
            Type::Tuple(items) | Type::Choice(items) => items.iter().for_each(|item| self.walk(path, item, keys)),
            Type::Name(name) => {
                if let Some(rule) = self.0.get(name) {
                    self.walk(path, rule, keys);
                }
            }
            Type::Text(_) | Type::Range(..) | Type::Bytes(_) => {}
        }
    }

    /// Why `value` does not follow `rule`. The keys it used are added to `used`, as [`keys`](Cddl::keys) names them.
    pub(crate) fn fault(&self, rule: &str, value: &Value, used: &mut Vec<String>) -> Option<String> {
        self.check(rule, &self.0[rule], value, used).err()
    }

    fn check(&self, path: &str, rule: &Type, value: &Value, used: &mut Vec<String>) -> Result<(), String> {
        let fits = match (rule, value) {
            (Type::Choice(options), _) => options.iter().any(|option| self.check(path, option, value, used).is_ok()),
            (Type::Name(name), _) => match (&name[..], value) {
                ("tstr", Value::Text(_)) | ("bool", Value::Bool(_)) | ("null", Value::Null) => true,
                ("tstr" | "bool" | "null", _) => false,
                _ => return self.check(path, self.0.get(name).ok_or(format!("{name} has no rule"))?, value, used),
            },
            (Type::Text(expected), Value::Text(text)) => expected == text,
            (Type::Range(least, most), Value::Integer(number)) => (*least..=*most).contains(&i128::from(*number)),
            (Type::Bytes(length), Value::Bytes(bytes)) => length.is_none_or(|length| bytes.len() == length),
            (Type::List(item), Value::Array(values)) => {
                values.iter().try_for_each(|value| self.check(path, item, value, used))?;
                true
            }
            (Type::Tuple(items), Value::Array(values)) => {
                items.iter().zip(values).try_for_each(|(item, value)| self.check(path, item, value, used))?;
                items.len() == values.len()
            }
            (Type::Map(entries), Value::Map(values)) => return self.check_map(path, entries, values, used),
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("{path}: {value:?} is no {rule:?}")) }
    }

    fn check_map(&self, path: &str, entries: &[Entry], values: &[(Value, Value)], used: &mut Vec<String>) -> Result<(), String> {
        for Entry { key, .. } in entries.iter().filter(|entry| !entry.optional) {
            let there = key.as_deref().is_none_or(|key| values.iter().any(|(found, _)| found.as_text() == Some(key)));
            if !there {
                return Err(format!("{path} lacks {key:?}"));
            }
        }
        for (key, value) in values {
            let key = key.as_text().ok_or("a key is no text")?;
            let known = entries.iter().find(|entry| entry.key.as_deref().is_none_or(|known| known == key));
            let known = known.ok_or(format!("{path} has the key {key}, which no rule names"))?;
            let path = format!("{path}.{key}");
            self.check(&path, &known.value, value, used)?;
            used.push(path);
        }
        Ok(())
    }
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", |token| token)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens.get(self.at - 1).expect("more tokens").clone()
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.peek() == token;
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, token: &str) {
        assert!(self.take(token), "`{token}` and not `{}` after {:?}", self.peek(), &self.tokens[..self.at]);
    }

    fn choice(&mut self) -> Type {
        let mut options = vec![self.single()];
        while self.take("/") {
            options.push(self.single());
        }
        if options.len() == 1 { options.remove(0) } else { Type::Choice(options) }
    }

    fn single(&mut self) -> Type {
        let token = self.next();
        match &token[..] {
            "{" => Type::Map(self.entries()),
            "[" if self.take("*") || self.take("+") => {
                let item = self.choice();
                self.expect("]");
                Type::List(Box::new(item))
            }
            "[" => {
                let mut items = vec![self.choice()];
                while self.take(",") {
                    items.push(self.choice());
                }
                self.expect("]");
                Type::Tuple(items)
            }
            "bstr" if self.take(".size") => Type::Bytes(Some(self.next().parse().unwrap())),
            "bstr" => Type::Bytes(None),
            text if text.starts_with('"') => Type::Text(text.trim_matches('"').to_owned()),
            range if range.contains("..") => {
                let (least, most) = range.split_once("..").unwrap();
                Type::Range(least.parse().unwrap(), most.parse().unwrap())
            }
            _ => Type::Name(token),
        }
    }

    fn entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let any = self.take("*");
            let optional = self.take("?") || any;
            let key = self.next();
            self.expect(if any { "=>" } else { ":" });
            entries.push(Entry { optional, key: (!any).then_some(key), value: self.choice() });
            self.take(",");
        }
        entries
    }
}

fn tokens(text: &str) -> Vec<String> {
    let text: String = text.lines().map(|line| line.split(';').next().unwrap_or_default().to_owned() + "\n").collect();
    let mut spaced = text.replace("=>", " \u{1} ");
    for mark in ["{", "}", "[", "]", ",", ":", "?", "*", "+", "/", "="] {
        spaced = spaced.replace(mark, &format!(" {mark} "));
    }
    spaced.replace('\u{1}', "=>").split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_body_that_breaks_its_rule_is_found() {
    let rules =
        Cddl::parse("r = { a: n, ? b: [* tstr / null], ? c: { x: k } / \"y\" } ; rest\nn = 0..9\nk = bstr .size 1\ns = { l: [+ bstr] }\n");
    assert_eq!(rules.fault("s", &ciborium::from_reader(&b"\xa1\x61l\x82\x40\x41z"[..]).unwrap(), &mut Vec::new()), None);
    let fault = |body: &[u8]| rules.fault("r", &ciborium::from_reader(body).unwrap(), &mut Vec::new()).is_some();
    for good in [&b"\xa1\x61a\x09"[..], b"\xa2\x61a\x00\x61b\x82\xf6\x61z", b"\xa2\x61a\x00\x61c\x61y", b"\xa2\x61a\x00\x61c\xa1\x61x\x41z"]
    {
        assert!(!fault(good), "{good:x?}");
    }
    for bad in
        [&b"\xa0"[..], b"\xa1\x61a\x0a", b"\xa2\x61a\x00\x61b\x81\x01", b"\xa2\x61a\x00\x61z\x00", b"\xa2\x61a\x00\x61c\xa1\x61x\x40"]
    {
        assert!(fault(bad), "{bad:x?}");
    }
}
