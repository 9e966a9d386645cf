//! JSON of hyperfine, pyperf, JMH and Google Benchmark, told apart by their keys.

use std::path::Path;

use serde_json::Value;

use crate::{Better, ReadError, Recorded, Series};

pub(crate) fn file(path: &Path, text: &str) -> Result<Recorded, ReadError> {
    let value: Value = serde_json::from_str(text).map_err(|e| ReadError::json(path, &e))?;
    let of = File { path };
    if let Some(results) = value["results"].as_array() {
        of.hyperfine(results)
    } else if value["context"].is_object() {
        of.google(&value)
    } else if let Some(benchmarks) = value["benchmarks"].as_array() {
        of.pyperf(&value, benchmarks)
    } else if let Some(results) =
        value.as_array().filter(|a| a.iter().any(|r| r["primaryMetric"].is_object()))
    {
        of.jmh(results)
    } else {
        Err(ReadError::unknown(path))
    }
}

struct File<'a> {
    path: &'a Path,
}

impl File<'_> {
    /// Every time is of a process of its own; those that failed have none.
    fn hyperfine(&self, results: &[Value]) -> Result<Recorded, ReadError> {
        let mut series = Vec::new();
        for (k, result) in results.iter().enumerate() {
            let at = format!("results[{k}]");
            let name = self.text(&result["command"], &format!("{at}.command"))?;
            let values = self.numbers(&result["times"], &format!("{at}.times"))?;
            let codes = result["exit_codes"].as_array().into_iter().flatten();
            let failed = codes.filter(|c| c.as_i64() != Some(0)).count();
            if failed > 0 {
                let what = format!(
                    "{failed} of {} runs of `{name}` did not end with 0, so their times are of something else",
                    values.len()
                );
                return Err(ReadError::shape(self.path, format!("{at}.exit_codes"), what));
            }
            series.push(self.series(name, ("s", Better::Lower), values.clone(), values.len()));
        }
        Ok(Recorded { tool: "hyperfine", version: None, series })
    }

    /// A run is a process; its figure is the mean of its values. Calibration runs have none.
    fn pyperf(&self, file: &Value, benchmarks: &[Value]) -> Result<Recorded, ReadError> {
        let shared = &file["metadata"];
        let mut series = Vec::new();
        for (k, benchmark) in benchmarks.iter().enumerate() {
            let at = format!("benchmarks[{k}]");
            let own = &benchmark["metadata"];
            let key = |name: &str| {
                if own[name].is_null() { shared[name].clone() } else { own[name].clone() }
            };
            let name = self.text(&key("name"), &format!("{at}.metadata.name"))?;
            let runs = benchmark["runs"]
                .as_array()
                .ok_or_else(|| self.wrong(&format!("{at}.runs"), "a list of runs"))?;
            let mut values = Vec::new();
            for (r, run) in runs.iter().enumerate().filter(|(_, run)| !run["values"].is_null()) {
                values
                    .push(mean(&self.numbers(&run["values"], &format!("{at}.runs[{r}].values"))?));
            }
            let unit = match key("unit").as_str() {
                None | Some("second") => "s".to_owned(),
                Some(other) => other.to_owned(),
            };
            let n = values.len();
            if n == 0 {
                return Err(self.wrong(&format!("{at}.runs"), "at least one run with values"));
            }
            series.push(self.series(name, (&unit, Better::Lower), values, n));
        }
        let version = shared["perf_version"]
            .as_str()
            .or(benchmarks.first().and_then(|b| b["metadata"]["perf_version"].as_str()));
        Ok(Recorded { tool: "pyperf", version: version.map(str::to_owned), series })
    }

    /// A fork is a process; its figure is the mean of its iterations.
    fn jmh(&self, results: &[Value]) -> Result<Recorded, ReadError> {
        let mut series = Vec::new();
        for (k, result) in results.iter().enumerate() {
            let at = format!("[{k}]");
            let mut name = self.text(&result["benchmark"], &format!("{at}.benchmark"))?;
            for (key, value) in result["params"].as_object().into_iter().flatten() {
                name.push_str(&format!(
                    " {key}={}",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                ));
            }
            let metric = &result["primaryMetric"];
            let unit = self.text(&metric["scoreUnit"], &format!("{at}.primaryMetric.scoreUnit"))?;
            let at = format!("{at}.primaryMetric.rawData");
            let forks = metric["rawData"]
                .as_array()
                .filter(|f| !f.is_empty())
                .ok_or_else(|| self.wrong(&at, "a list of forks"))?;
            let mut values = Vec::new();
            for (f, fork) in forks.iter().enumerate() {
                values.push(mean(&self.numbers(fork, &format!("{at}[{f}]"))?));
            }
            let better = if result["mode"] == "thrpt" { Better::Higher } else { Better::Lower };
            let n = values.len();
            series.push(self.series(name, (&unit, better), values, n));
        }
        let version = results.first().and_then(|r| r["jmhVersion"].as_str());
        Ok(Recorded { tool: "JMH", version: version.map(str::to_owned), series })
    }

    /// Repetitions in one process; what it aggregates of them is left out.
    fn google(&self, file: &Value) -> Result<Recorded, ReadError> {
        let rows =
            file["benchmarks"].as_array().ok_or_else(|| self.wrong("benchmarks", "a list"))?;
        let mut series: Vec<Series> = Vec::new();
        for (k, row) in rows.iter().enumerate() {
            if row["run_type"] == "aggregate" {
                continue;
            }
            let at = format!("benchmarks[{k}]");
            if row["error_occurred"] == true {
                let why = row["error_message"].as_str().unwrap_or("no reason");
                return Err(ReadError::shape(
                    self.path,
                    at,
                    format!("the benchmark failed: {why}"),
                ));
            }
            let name =
                self.text(row.get("run_name").unwrap_or(&row["name"]), &format!("{at}.run_name"))?;
            let unit = self.text(&row["time_unit"], &format!("{at}.time_unit"))?;
            let value = self.number(&row["real_time"], &format!("{at}.real_time"))?;
            match series.iter_mut().find(|s| s.name == name && s.unit == unit) {
                Some(s) => s.values.push(value),
                None => series.push(self.series(name, (&unit, Better::Lower), vec![value], 1)),
            }
        }
        let version = file["context"]["library_version"].as_str().map(str::to_owned);
        Ok(Recorded { tool: "Google Benchmark", version, series })
    }

    fn series(
        &self,
        name: String,
        (unit, better): (&str, Better),
        values: Vec<f64>,
        processes: usize,
    ) -> Series {
        let metric = if better == Better::Lower { "time" } else { "throughput" };
        Series { name, metric: metric.to_owned(), unit: unit.to_owned(), better, values, processes }
    }

    fn text(&self, value: &Value, at: &str) -> Result<String, ReadError> {
        value.as_str().map(str::to_owned).ok_or_else(|| self.wrong(at, "a text"))
    }

    /// At least one positive number.
    fn numbers(&self, value: &Value, at: &str) -> Result<Vec<f64>, ReadError> {
        let list = value
            .as_array()
            .filter(|l| !l.is_empty())
            .ok_or_else(|| self.wrong(at, "a list of numbers"))?;
        list.iter().enumerate().map(|(k, v)| self.number(v, &format!("{at}[{k}]"))).collect()
    }

    fn number(&self, value: &Value, at: &str) -> Result<f64, ReadError> {
        value
            .as_f64()
            .filter(|x| x.is_finite() && *x > 0.0)
            .ok_or_else(|| self.wrong(at, "a positive number"))
    }

    fn wrong(&self, at: &str, expected: &str) -> ReadError {
        ReadError::shape(self.path, at, format!("{expected} expected"))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
