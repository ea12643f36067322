//! JSON lines: one object per figure, for machines to compare runs.

use super::{Better, Figures, Reach, Spec};

/// One line.
pub(super) fn line(spec: &Spec, outcome: Result<&Figures, &str>) -> String {
    let mut object = Object::new();
    object.text("name", spec.name);
    match outcome {
        Ok(figures) => measured(&mut object, spec, figures),
        Err(reason) => object.text("failed", reason),
    }
    object.text("unit", spec.unit);
    object.text("better", if spec.better == Better::Lower { "lower" } else { "higher" });
    match spec.reach {
        Reach::Ratio(target) => target_of(&mut object, "ratio", target),
        Reach::Ours(target) => target_of(&mut object, "ours", target),
        Reach::Nothing => {}
    }
    object.text("note", spec.note);
    object.end()
}

fn measured(object: &mut Object, spec: &Spec, figures: &Figures) {
    object.number("ours", figures.ours);
    object.number("reference", figures.reference);
    object.number("ratio", figures.ratio);
    if let Some((low, high)) = figures.spread {
        object.raw("spread", &format!("[{},{}]", number(low), number(high)));
    }
    if let Some(aa) = figures.aa {
        object.number("aa", aa);
    }
    if let Some(met) = spec.is_met(figures) {
        object.raw("met", if met { "true" } else { "false" });
    }
}

fn target_of(object: &mut Object, figure: &str, target: f64) {
    object.number("reach", target);
    object.text("reach_of", figure);
}

/// An object under construction. Names are ours and need no escaping.
struct Object(String);

impl Object {
    fn new() -> Object {
        Object("{".to_owned())
    }

    fn raw(&mut self, name: &str, value: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        self.0.push_str(&format!("{comma}\"{name}\":{value}"));
    }

    fn number(&mut self, name: &str, value: f64) {
        self.raw(name, &number(value));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &quoted(value));
    }

    fn end(self) -> String {
        self.0 + "}"
    }
}

/// Four decimals; JSON knows no infinity, so what is not finite is `null`.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "null".to_owned() }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        control if control < ' ' => format!("\\u{:04x}", control as u32),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::tests::SPEC;
    use super::*;

    #[test]
    fn a_figure_is_one_object_with_everything_needed_to_judge_it() {
        let figures = Figures { spread: Some((1.0, 1.25)), aa: Some(1.01), ..Figures::against(11.0, 10.0) };
        let expected = r#"{"name":"echo.p50","ours":11.0000,"reference":10.0000,"ratio":1.1000,"spread":[1.0000,1.2500],"aa":1.0100,"met":true,"unit":"us","better":"lower","reach":1.1500,"reach_of":"ratio","note":"raw \"loop\""}"#;
        assert_eq!(line(&SPEC, Ok(&figures)), expected);
    }

    #[test]
    fn a_failure_tells_why_and_has_no_figure() {
        let spec = Spec { reach: Reach::Nothing, note: "", ..SPEC };
        let expected = r#"{"name":"echo.p50","failed":"no\u000aecho","unit":"us","better":"lower","note":""}"#;
        assert_eq!(line(&spec, Err("no\necho")), expected);
    }
}
