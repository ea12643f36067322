//! `docs/batching.svg`: four loads side by side; from top to bottom the bytes, the link's queue, and the echoes.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use orchflow_core::time::Time;

use crate::loads::{self, Played};
use crate::model::Echo;

/// One plot's place and size; all are alike.
const WIDTH: f64 = 230.0;
const HEIGHT: f64 = 130.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 62.0;
const GAP: f64 = 22.0;

/// Points a line has at the most.
const POINTS: usize = 160;

/// More than the message of an echo.
const ECHO_BYTES: f64 = 256.0;

/// Colours that are told apart on white and on black, and by who sees few.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#444}.title{font-size:15px;font-weight:600;fill:#111}.grid{stroke:#ddd}\
.frame{fill:none;stroke:#bbb}.line{fill:none;stroke-width:1.6;stroke:#0072b2}.other{stroke:#d55e00}.dot{fill:#0072b2}.dot.other{fill:#d55e00;stroke:none}\
@media(prefers-color-scheme:dark){text{fill:#bbb}.title{fill:#eee}.grid{stroke:#333}.frame{stroke:#555}.line{stroke:#56b4e9}\
.other{stroke:#e69f00}.dot{fill:#56b4e9}.dot.other{fill:#e69f00}}";

/// What a plot's height means: powers of ten.
#[derive(Clone, Copy)]
struct Scale {
    least: i32,
    most: i32,
    names: &'static [&'static str],
    title: &'static str,
    /// What the two colours mean.
    keys: [&'static str; 2],
}

const BYTES: Scale = Scale {
    least: 1,
    most: 6,
    names: &["10", "100", "1 kB", "10 kB", "100 kB", "1 MB"],
    title: "bytes",
    keys: ["one message", "under way"],
};
const QUEUE: Scale = Scale {
    least: -4,
    most: 0,
    names: &["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s"],
    title: "queue",
    keys: ["wait in the link's buffers", ""],
};
const ECHO: Scale = Scale {
    least: -4,
    most: 0,
    names: &["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s"],
    title: "echo",
    keys: ["key to echo", "beside the flood"],
};

impl Scale {
    /// How far up `value` is, in parts of the plot's height.
    fn up(self, value: f64) -> f64 {
        let (least, most) = (f64::from(self.least), f64::from(self.most));
        ((value.max(1e-9).log10() - least) / (most - least)).clamp(0.0, 1.0)
    }
}

/// Where one plot is.
struct Plot<'a> {
    x: f64,
    y: f64,
    scale: Scale,
    played: &'a Played,
}

impl Plot<'_> {
    fn place(&self, at: Time, value: f64) -> (f64, f64) {
        let along = at.max(self.played.begun) - self.played.begun;
        let along = (along.as_secs_f64() / self.played.lasts.as_secs_f64()).min(1.0);
        (self.x + along * WIDTH, self.y + HEIGHT - self.scale.up(value) * HEIGHT)
    }

    fn frame(&self, svg: &mut String, is_first: bool) {
        let Plot { x, y, scale, .. } = self;
        for (number, name) in scale.names.iter().enumerate() {
            let up = y + HEIGHT - HEIGHT * number as f64 / f64::from(scale.most - scale.least);
            let _ = writeln!(svg, r#"<path class="grid" d="M{x:.1} {up:.1}h{WIDTH}"/>"#);
            if is_first {
                let _ = writeln!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{name}</text>"#, x - 6.0, up + 4.0);
            }
        }
        let _ = writeln!(svg, r#"<path class="frame" d="M{x:.1} {y:.1}h{WIDTH}v{HEIGHT}h-{WIDTH}z"/>"#);
    }

    /// A line through the largest of each stretch of time.
    fn line(&self, svg: &mut String, class: &str, values: impl Iterator<Item = (Time, f64)>) {
        let mut most: Vec<Option<(Time, f64)>> = vec![None; POINTS];
        let end = self.played.begun + self.played.lasts;
        for (at, value) in values.filter(|(at, _)| *at <= end) {
            let along = (at.max(self.played.begun) - self.played.begun).as_secs_f64() / self.played.lasts.as_secs_f64();
            let place = &mut most[((along * POINTS as f64) as usize).min(POINTS - 1)];
            *place = Some(place.map_or((at, value), |(was, before)| if value > before { (at, value) } else { (was, before) }));
        }
        let points: Vec<(f64, f64)> = most.into_iter().flatten().map(|(at, value)| self.place(at, value)).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        if !path.is_empty() {
            let _ = writeln!(svg, r#"<path class="line {class}" d="M{}"/>"#, path.join("L"));
        }
    }

    fn dots(&self, svg: &mut String, class: &str, values: impl Iterator<Item = (Time, f64)>) {
        for (at, value) in values {
            let (x, y) = self.place(at, value);
            let _ = writeln!(svg, r#"<circle class="dot {class}" cx="{x:.1}" cy="{y:.1}" r="2"/>"#);
        }
    }
}

fn draw(all: &[Played]) -> String {
    let (width, height) = (LEFT + all.len() as f64 * (WIDTH + GAP), TOP + 3.0 * (HEIGHT + 2.0 * GAP) - GAP / 2.0);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="Bytes, queue and echo under four loads"><style>{STYLE}</style>"#
    );
    svg.push('\n');
    for (column, played) in all.iter().enumerate() {
        let x = LEFT + column as f64 * (WIDTH + GAP);
        let _ = writeln!(svg, r#"<text class="title" x="{x:.1}" y="20">{}</text>"#, played.title);
        let _ = writeln!(svg, r#"<text x="{x:.1}" y="37">{}</text>"#, played.about);
        for (row, scale) in [BYTES, QUEUE, ECHO].into_iter().enumerate() {
            let y = TOP + row as f64 * (HEIGHT + 2.0 * GAP);
            let plot = Plot { x, y, scale, played };
            plot.frame(&mut svg, column == 0);
            legend(&mut svg, &plot);
        }
        curves(&mut svg, x, played);
    }
    svg.push_str("</svg>\n");
    svg
}

fn curves(svg: &mut String, x: f64, played: &Played) {
    let plot = |row: f64, scale| Plot { x, y: TOP + row * (HEIGHT + 2.0 * GAP), scale, played };
    let echoes = |echoes: &[Echo]| echoes.iter().map(|echo| (echo.typed, echo.took.as_secs_f64())).collect::<Vec<_>>().into_iter();
    let [bytes, queue, echo] = [plot(0.0, BYTES), plot(1.0, QUEUE), plot(2.0, ECHO)];
    // A load of few messages has no line through them.
    let messages = played.batches.iter().map(|(at, bytes)| (*at, *bytes as f64));
    if played.batches.len() > POINTS {
        bytes.line(svg, "", messages.filter(|(_, bytes)| *bytes > ECHO_BYTES)); // The flood's, not of the echoes beside it.
        bytes.line(svg, "other", played.samples.iter().map(|sample| (sample.at, sample.under_way as f64)));
        queue.line(svg, "", played.samples.iter().map(|sample| (sample.at, sample.queue.as_secs_f64())));
    } else {
        bytes.dots(svg, "", messages);
        queue.line(svg, "", [played.begun, played.begun + played.lasts].into_iter().map(|at| (at, 0.0)));
    }
    echo.dots(svg, "", echoes(&played.echoes));
    echo.dots(svg, "other", echoes(&played.beside));
}

/// What is seen, above the plot; and how long it lasts, at its end.
fn legend(svg: &mut String, plot: &Plot<'_>) {
    let Plot { x, y, scale, played } = plot;
    let is_seen = |key: usize| !scale.keys[key].is_empty() && (key == 0 || !played.beside.is_empty());
    let mut along = *x;
    for (key, class) in ["", "other"].into_iter().enumerate().filter(|(key, _)| is_seen(*key)) {
        let _ = writeln!(svg, r#"<circle class="dot {class}" cx="{:.1}" cy="{:.1}" r="3.5"/>"#, along + 4.0, y - 8.0);
        let _ = writeln!(svg, r#"<text x="{:.1}" y="{:.1}">{}</text>"#, along + 11.0, y - 4.0, scale.keys[key]);
        along += 24.0 + 6.4 * scale.keys[key].len() as f64;
    }
    if scale.title == ECHO.title {
        let _ = writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{} s</text>"#,
            x + WIDTH,
            y + HEIGHT + 15.0,
            played.lasts.as_secs()
        );
    }
}

#[test]
fn the_committed_picture_is_what_is_drawn_now() {
    let place: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../docs/batching.svg"].iter().collect();
    let drawn = draw(&[loads::idle(), loads::typing(), loads::flood(), loads::thin()]);
    if std::env::var_os("ORCHFLOW_WRITE_FRAMES").is_some() {
        return fs::write(&place, drawn).unwrap();
    }
    let committed = fs::read_to_string(&place).unwrap_or_else(|error| panic!("{place:?}: {error}"));
    let first = committed.lines().zip(drawn.lines()).position(|(committed, drawn)| committed != drawn);
    assert!(committed == drawn, "{place:?}:{} differs from what is drawn now", first.unwrap_or_default() + 1);
}

#[test]
fn a_value_is_as_far_up_as_its_power_of_ten() {
    let up = |value: f64| QUEUE.up(value);
    assert_eq!([up(0.0), up(1e-4), up(1.0), up(7.0)], [0.0, 0.0, 1.0, 1.0]);
    assert!((up(Duration::from_millis(1).as_secs_f64()) - 0.25).abs() < 1e-9);
}
