//! `c`: the engine as C has it, beside the raw loop in C. Both live in one program, `benches/c/bench.c`, which `cargo xtask bench` builds beside this one; its
//! blocks are read here.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::child;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Report, Sheet, Spec};

const GROUPS: [Group; 3] = [
    Group {
        specs: &[
            echo("c.echo.p50", Reach::Ratio(1.15), "a host's own epoll with the hub's descriptor in it; raw epoll loop in C; one CPU"),
            echo("c.echo.p99", Reach::Ratio(1.15), "the same"),
            echo("c.echo.wait.p50", Reach::Nothing, "a program without a loop, by orch_hub_wait; the same raw loop"),
            echo("c.echo.wait.p99", Reach::Nothing, "the same"),
        ],
        measure: measure_echo,
    },
    Group {
        specs: &[
            flood("c.flood", Reach::Ratio(0.95), "a host's own epoll with the hub's descriptor in it; raw epoll loop in C; one CPU"),
            flood("c.flood.wait", Reach::Nothing, "a program without a loop, by orch_hub_wait; the same raw loop"),
        ],
        measure: measure_flood,
    },
    Group {
        specs: &[Spec {
            name: "c.peek",
            unit: "ns",
            better: Better::Lower,
            reach: Reach::Ours(50.0),
            note: "a call of peek or consume, a byte at a time: half of what the two take",
        }],
        measure: measure_peek,
    },
];

const fn echo(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "us", better: Better::Lower, reach, note }
}

const fn flood(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "MB/s", better: Better::Higher, reach, note }
}

/// Prints all lines that are asked for.
pub(crate) fn run(plan: &Plan, report: &mut Report) {
    for group in GROUPS {
        if group.specs.iter().any(|spec| plan.wants(spec.name)) {
            report.group(group.specs, |sheet| (group.measure)(plan, sheet));
        }
    }
}

/// The sides of a comparison, in the order of the program's lines.
const OURS: usize = 0;
const WAITING: usize = 1;
const RAW: usize = 2;
const AGAIN: usize = 3;

/// Bytes of a flood's block.
const BLOCK_BYTES: u64 = 4 << 20;

fn measure_echo(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let sides = compare(&["echo", &plan.pick(41, 101).to_string(), "1000"])?;
    for (percentile, figure) in [("p50", 0), ("p99", 1)] {
        sheet.put(&format!("c.echo.{percentile}"), against_raw(&sides, OURS, figure));
        sheet.put(&format!("c.echo.wait.{percentile}"), against_raw(&sides, WAITING, figure));
    }
    Ok(())
}

fn measure_flood(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let blocks = plan.pick(128 << 20, 1 << 30) / BLOCK_BYTES;
    let sides = compare(&["flood", &blocks.to_string(), &BLOCK_BYTES.to_string()])?;
    sheet.put("c.flood", against_raw(&sides, OURS, 0));
    sheet.put("c.flood.wait", against_raw(&sides, WAITING, 0));
    Ok(())
}

fn measure_peek(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let runs = (0..plan.pick(3, 11)).map(|_| {
        let pair = said(&["peek", "300000"])?;
        pair.trim().parse::<f64>().map(|pair| pair / 2.0).map_err(|_| io::Error::other(format!("no figure: {pair}")))
    });
    let runs = runs.collect::<io::Result<Vec<_>>>()?;
    sheet.put("c.peek", Figures::against(crate::stats::median(&runs), 50.0));
    Ok(())
}

fn against_raw(sides: &[Vec<Vec<f64>>; 4], side: usize, figure: usize) -> Figures {
    let figures = |side: usize| sides[side].iter().map(|block| block[figure]).collect::<Vec<_>>();
    Figures::of_blocks(&figures(side), &figures(RAW), &figures(AGAIN))
}

/// Runs a comparison; answers the figures of each block of each side.
fn compare(args: &[&str]) -> io::Result<[Vec<Vec<f64>>; 4]> {
    let mut sides = <[Vec<Vec<f64>>; 4]>::default();
    for line in said(args)?.lines() {
        let numbers: Option<Vec<f64>> = line.split_whitespace().map(|number| number.parse().ok()).collect();
        let (side, block) =
            numbers.as_deref().and_then(|numbers| numbers.split_first()).ok_or_else(|| io::Error::other(line.to_owned()))?;
        sides.get_mut(*side as usize).ok_or_else(|| io::Error::other(line.to_owned()))?.push(block.to_vec());
    }
    Ok(sides)
}

/// What the program says, on one CPU with all it starts.
fn said(args: &[&str]) -> io::Result<String> {
    let _pinned = Pinned::packed()?;
    let program: PathBuf = child::program()?.with_file_name("orchflow-bench-c");
    let output = Command::new(&program).args(args).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| io::Error::other(format!("{}: {error}; `cargo xtask bench c` builds it", program.display())))?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{} {}: {}", program.display(), args.join(" "), output.status)));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}
