//! stub
use polars::prelude::*;
fn main() {
    let d = df!("a"=>[1i64]).unwrap().lazy().group_by([col("a")]).agg([col("a").sum()]).collect();
    println!("{d:?}");
}
