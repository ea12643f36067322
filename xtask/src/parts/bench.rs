//! The benchmarks work and print what scripts rely on. Deliberately absent: a judgement of the numbers, which
//! needs a quiet machine.

use serde_json::Value;

use crate::bench::{command, in_c, library, server};
use crate::work::{Outcome, Work};

/// What there is to measure.
const NAMES: [&str; 3] = ["protocol", "terminal", "c"];

pub(crate) fn bench(work: &mut Work<'_>) -> Outcome {
    for build in [server(), library(), in_c(work.root)] {
        work.run(build)?;
    }
    let mut measurements = 0;
    for name in NAMES {
        let output = work.ask(command(&[name, "--quick", "--json"]))?;
        let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return work.fail(format_args!("`{name} --quick --json` printed nothing"));
        }
        for line in &lines {
            if let Err(why) = check(line) {
                return work.fail(format_args!("{why} in: {line}"));
            }
        }
        measurements += lines.len();
    }
    work.note = format!("{measurements} measurements");
    Ok(())
}

/// One measurement: what, our number, the limit's, ours over the limit's. The last two are null where nothing compares.
fn check(line: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON ({error})"))?;
    let field = |name: &str| value.get(name).ok_or(format!("no field `{name}`"));
    for name in ["name", "unit"] {
        if !field(name)?.is_string() {
            return Err(format!("`{name}` is not a string"));
        }
    }
    for name in ["ours", "reference", "ratio"] {
        let number = field(name)?;
        if !number.is_number() && (name == "ours" || !number.is_null()) {
            return Err(format!("`{name}` is not a number"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurement_needs_its_five_fields() {
        assert_eq!(check(r#"{"name":"echo","ours":2.5,"reference":2,"ratio":1.25,"unit":"us"}"#), Ok(()));
        assert_eq!(check(r#"{"name":"idle","ours":5,"reference":null,"ratio":null,"unit":"KB"}"#), Ok(()));
        assert_eq!(check(r#"{"name":"echo","ours":2.5,"reference":2,"ratio":1.25}"#), Err("no field `unit`".into()));
        assert_eq!(check(r#"{"name":"echo","ours":"2","reference":2,"ratio":1,"unit":"us"}"#), Err("`ours` is not a number".into()));
        assert!(check("12 tests").is_err());
    }
}
