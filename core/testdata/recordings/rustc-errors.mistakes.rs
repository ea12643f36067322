//! One mistake of each kind.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::rc::Rc;
use std::thread;

pub struct Parcel {
    pub label: String,
    pub weights: Vec<u32>,
}

pub enum Route {
    Air { hours: u8 },
    Sea(u16),
    Road,
}

pub trait Carrier {
    fn price(&self, parcel: &Parcel) -> u64;
    fn name(&self) -> &str;
}

pub struct Ship;

impl Carrier for Ship {
    fn price(&self, parcel: &Parcel) -> u64 {
        parcel.weights.iter().sum::<u32>()
    }
}

pub struct Truck<'a> {
    road: &'a str,
}

impl Carrier for Truck<'_> {
    fn price(&self, parcel: Parcel) -> u64 {
        parcel.weights.len() as u64
    }
    fn name(&self) -> &str {
        self.road
    }
    fn horn(&self) {}
}

pub fn moved_twice(parcel: Parcel) -> (String, String) {
    let first = parcel.label;
    let second = parcel.label;
    (first, second)
}

pub fn pushed_while_lent(weights: &mut Vec<u32>) {
    let heaviest = weights.iter().max().unwrap();
    weights.push(heaviest + 1);
    println!("{heaviest}");
}

pub fn two_mutable(weights: &mut Vec<u32>) {
    let one = &mut *weights;
    let two = &mut *weights;
    one.push(1);
    two.push(2);
}

pub fn dangling<'a>() -> &'a str {
    let text = String::from("gone");
    text.as_str()
}

pub fn too_short() {
    let kept;
    {
        let parcel = Parcel { label: "short".to_string(), weights: vec![] };
        kept = &parcel.label;
    }
    println!("{kept}");
}

pub fn not_mutable(parcel: &Parcel) {
    parcel.weights.push(3);
}

pub fn assigned_twice() -> u32 {
    let total = 1;
    total += 1;
    total
}

pub fn out_of_a_loan(parcels: &Vec<Parcel>) -> Parcel {
    parcels[0]
}

pub fn out_of_an_option(parcel: &mut Option<Parcel>) -> Parcel {
    parcel.unwrap()
}

pub fn captured() -> thread::JoinHandle<()> {
    let words = vec!["a".to_string()];
    thread::spawn(|| println!("{words:?}"))
}

pub fn not_sent() -> thread::JoinHandle<()> {
    let shared = Rc::new(RefCell::new(1));
    thread::spawn(move || println!("{}", shared.borrow()))
}

pub fn which<'a, 'b>(one: &'a str, two: &'b str) -> &'a str {
    if one.len() > 3 { one } else { two }
}

pub fn unset(deep: bool) -> u32 {
    let depth: u32;
    if deep {
        depth = 4;
    }
    depth
}

pub fn missing_arm(route: Route) -> u32 {
    match route {
        Route::Air { hours } => hours.into(),
        Route::Sea(days) => u32::from(days) * 24,
    }
}

pub fn missing_field() -> Parcel {
    Parcel { label: "half".into() }
}

pub fn no_such_field(parcel: &Parcel) -> usize {
    parcel.wieghts.len()
}

pub fn no_such_method(parcel: &Parcel) -> u32 {
    parcel.weights.iter().summ()
}

pub fn no_such_variant() -> Route {
    Route::Rail(4)
}

pub fn wrong_count() -> u64 {
    Ship.price(&Parcel { label: String::new(), weights: vec![] }, 3)
}

pub fn wrong_type(names: &HashMap<String, u32>) -> u32 {
    let count: u32 = names.get("one");
    count
}

pub fn not_a_bool(count: usize) -> &'static str {
    if count { "some" } else { "none" }
}

pub fn arms_differ(count: usize) -> String {
    match count {
        0 => "none",
        1 => String::from("one"),
        _ => count.to_string(),
    }
}

pub fn not_displayed(parcel: &Parcel) -> String {
    format!("{parcel}")
}

pub fn bound<T>(value: T) -> String
where
    T: Display,
{
    value.to_string()
}

pub fn unbound() -> String {
    bound(Route::Road)
}

pub fn added(parcel: Parcel) -> Parcel {
    parcel + 1
}

pub fn indexed(weights: &[u32], at: i32) -> u32 {
    weights[at]
}

pub fn questioned(text: &str) -> u32 {
    text.parse::<u32>()?
}

pub fn other_error(text: &str) -> Result<u32, std::io::Error> {
    Ok(text.parse::<u32>()?)
}

pub fn called(count: u32) -> u32 {
    count(4)
}

pub fn cast(text: &str) -> u32 {
    text as u32
}

pub fn dereferenced(count: u32) -> u32 {
    *count
}

pub fn unsized_local(text: &str) -> usize {
    let whole = *text;
    whole.len()
}

pub fn not_iterated(count: u32) {
    for step in count {
        println!("{step}");
    }
}

pub fn collected(weights: &[u32]) -> HashMap<String, u32> {
    weights.iter().map(|weight| weight * 2).collect()
}

pub fn boxed(truck: Truck<'_>) -> Box<dyn Carrier> {
    Box::new(truck)
}

pub fn unknown_lifetime(text: &'t str) -> &str {
    text
}

pub fn unnamed(one: &str, two: &str) -> &str {
    one
}

pub fn no_such_type(parcel: Pracel) -> Option<Widht> {
    None
}

pub fn no_such_name() -> usize {
    weigths.len() + lenght(3)
}

pub fn private() -> usize {
    inner::Hidden { secret: 1 }.secret
}

mod inner {
    pub struct Hidden {
        secret: usize,
    }
}
