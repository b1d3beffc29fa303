//! Logistic regression with non-negative coefficients on rows that are mostly zero.

mod design;

pub use design::{Design, LogisticError};

use crate::stats::{expit, log1pexp, logit};

/// A fitted regression.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The log-odds of a row of zeros, without its offset.
    pub intercept: f64,
    /// The log-odds that one unit of each column adds, none negative.
    pub coefficients: Vec<f64>,
    /// The Newton steps taken.
    pub iterations: usize,
    /// The largest violation of the optimality conditions, per unit of total weight.
    pub gradient_norm: f64,
}

impl Fitted {
    /// Returns the log-odds of a row of (column, value) entries, without an offset.
    pub fn log_odds(&self, entries: impl IntoIterator<Item = (usize, f32)>) -> f64 {
        let effect = |(j, v): (usize, f32)| self.coefficients.get(j).map_or(0.0, |b| b * f64::from(v));
        self.intercept + entries.into_iter().map(effect).sum::<f64>()
    }
}

/// The violation of the optimality conditions, per unit of weight, at which a fit is done.
const TOLERANCE: f64 = 1e-9;
/// A trace of ridge on the intercept, relative to the total weight, so that labels all alike have a finite fit.
const INTERCEPT_RIDGE: f64 = 1e-9;
/// Sweeps of coordinate descent through one quadratic model.
const MOST_SWEEPS: usize = 500;

/// What draws the coefficients: a penalty of strength / 2 times their squared distances from a centre.
#[derive(Debug, Clone, Copy)]
pub struct Ridge<'a> {
    /// How strongly; above 0.
    pub strength: f64,
    /// Where to: a value for each column, or none for 0.
    pub centre: &'a [f64],
}

impl Ridge<'static> {
    /// Draws every coefficient towards 0.
    pub const fn to_zero(strength: f64) -> Self {
        Self { strength, centre: &[] }
    }
}

/// The parts of a problem, checked.
struct Problem<'a> {
    design: &'a Design,
    labels: &'a [bool],
    weights: &'a [f64],
    offset: &'a [f64],
    ridge: Ridge<'a>,
    total: f64,
}

/// Fits P(label) = expit(offset + intercept + row . coefficients) with coefficients >= 0.
///
/// Minimises the weighted logistic loss plus the penalty of `ridge`; the intercept is free. Projected
/// Newton: each step minimises the quadratic model under the bounds by coordinate descent on its Hessian, then halves the
/// step until the loss falls enough (Lee, Sun & Saunders 2014, "Proximal Newton-type methods for minimizing composite
/// functions"). Empty `weights` mean 1 each, an empty `offset` 0.
pub fn fit_non_negative(
    design: &Design,
    labels: &[bool],
    weights: &[f64],
    offset: &[f64],
    ridge: Ridge<'_>,
    max_iter: usize,
) -> Result<Fitted, LogisticError> {
    let problem = Problem::new(design, labels, weights, offset, ridge)?;
    let size = design.columns() + 1;
    // The last parameter is the intercept.
    let mut parameters = vec![0.0; size];
    parameters[..ridge.centre.len()].copy_from_slice(ridge.centre);
    parameters[size - 1] = problem.starting_intercept();
    let mut gradient = vec![0.0; size];
    let mut hessian = vec![0.0; size * size];
    let mut step = vec![0.0; size];
    let mut candidate = vec![0.0; size];
    let mut loss = problem.loss(&parameters);
    let mut iterations = 0;
    let gradient_norm = loop {
        problem.derivatives(&parameters, &mut gradient, &mut hessian);
        let violation = violation(&parameters, &gradient) / problem.total;
        if violation <= TOLERANCE || iterations >= max_iter {
            break violation;
        }
        iterations += 1;
        newton_step(&parameters, &gradient, &hessian, &mut step);
        let slope: f64 = gradient.iter().zip(&step).map(|(g, d)| g * d).sum();
        let mut length = 1.0;
        let improved = loop {
            for ((c, p), d) in candidate.iter_mut().zip(&parameters).zip(&step) {
                *c = p + length * d;
            }
            let next = problem.loss(&candidate);
            if next <= loss + 1e-4 * length * slope {
                break Some(next);
            }
            length *= 0.5;
            if length < 1e-12 {
                break None;
            }
        };
        let Some(next) = improved else { break violation };
        loss = next;
        std::mem::swap(&mut parameters, &mut candidate);
        for p in &mut parameters[..size - 1] {
            *p = p.max(0.0);
        }
    };
    let intercept = parameters.pop().unwrap_or(0.0);
    Ok(Fitted { intercept, coefficients: parameters, iterations, gradient_norm })
}

impl<'a> Problem<'a> {
    fn new(
        design: &'a Design,
        labels: &'a [bool],
        weights: &'a [f64],
        offset: &'a [f64],
        ridge: Ridge<'a>,
    ) -> Result<Self, LogisticError> {
        let rows = design.rows();
        let lengths = [("labels", labels.len()), ("weights", weights.len()), ("offset", offset.len())];
        for (what, got) in lengths {
            let may_be_empty = what != "labels";
            if got != rows && !(may_be_empty && got == 0) {
                return Err(LogisticError::Length { what, got, rows });
            }
        }
        if let Some(&value) = weights.iter().find(|w| !w.is_finite() || **w < 0.0) {
            return Err(LogisticError::BadNumber { what: "the weight", value });
        }
        if let Some(&value) = offset.iter().find(|o| !o.is_finite()) {
            return Err(LogisticError::BadNumber { what: "the offset", value });
        }
        let Ridge { strength, centre } = ridge;
        if !centre.is_empty() && centre.len() != design.columns() {
            return Err(LogisticError::Centre { got: centre.len(), columns: design.columns() });
        }
        if let Some(&value) = centre.iter().find(|c| !c.is_finite() || **c < 0.0) {
            return Err(LogisticError::BadNumber { what: "what a coefficient is drawn towards", value });
        }
        if !strength.is_finite() || strength <= 0.0 {
            return Err(LogisticError::BadNumber { what: "the ridge", value: strength });
        }
        let total: f64 = if weights.is_empty() { rows as f64 } else { weights.iter().sum() };
        Ok(Self { design, labels, weights, offset, ridge, total: total.max(f64::MIN_POSITIVE) })
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.get(row).copied().unwrap_or(1.0)
    }

    fn centre(&self, column: usize) -> f64 {
        self.ridge.centre.get(column).copied().unwrap_or(0.0)
    }

    fn intercept_ridge(&self) -> f64 {
        INTERCEPT_RIDGE * self.total.max(1e-6)
    }

    /// Returns the smoothed log-odds of the base rate, less the mean offset.
    fn starting_intercept(&self) -> f64 {
        let rows = 0..self.design.rows();
        let hits: f64 = rows.clone().filter(|&i| self.labels[i]).map(|i| self.weight(i)).sum();
        let offset: f64 = rows.map(|i| self.weight(i) * self.offset.get(i).copied().unwrap_or(0.0)).sum();
        logit((hits + 0.5) / (self.total + 1.0)) - offset / self.total.max(1.0)
    }

    fn margin(&self, row: usize, parameters: &[f64]) -> f64 {
        let effects: f64 = self.design.row(row).iter().map(|&(j, v)| parameters[j as usize] * f64::from(v)).sum();
        self.offset.get(row).copied().unwrap_or(0.0) + parameters[parameters.len() - 1] + effects
    }

    fn loss(&self, parameters: &[f64]) -> f64 {
        let mut loss = 0.0;
        for row in 0..self.design.rows() {
            let margin = self.margin(row, parameters);
            loss += self.weight(row) * log1pexp(if self.labels[row] { -margin } else { margin });
        }
        let (intercept, coefficients) = split(parameters);
        let squares: f64 = coefficients.iter().enumerate().map(|(j, b)| (b - self.centre(j)).powi(2)).sum();
        loss + 0.5 * (self.ridge.strength * squares + self.intercept_ridge() * intercept * intercept)
    }

    /// Writes the gradient and the whole, symmetric Hessian.
    fn derivatives(&self, parameters: &[f64], gradient: &mut [f64], hessian: &mut [f64]) {
        let size = parameters.len();
        let last = size - 1;
        gradient.fill(0.0);
        hessian.fill(0.0);
        for row in 0..self.design.rows() {
            let p = expit(self.margin(row, parameters));
            let residual = self.weight(row) * (p - f64::from(u8::from(self.labels[row])));
            let curvature = self.weight(row) * p * (1.0 - p);
            let entries = self.design.row(row);
            for (k, &(j, v)) in entries.iter().enumerate() {
                let (j, v) = (j as usize, f64::from(v));
                gradient[j] += residual * v;
                let line = &mut hessian[j * size..(j + 1) * size];
                for &(other, u) in &entries[k..] {
                    line[other as usize] += curvature * v * f64::from(u);
                }
                line[last] += curvature * v;
            }
            gradient[last] += residual;
            hessian[last * size + last] += curvature;
        }
        for j in 0..last {
            gradient[j] += self.ridge.strength * (parameters[j] - self.centre(j));
            hessian[j * size + j] += self.ridge.strength;
            for k in j + 1..size {
                hessian[k * size + j] = hessian[j * size + k];
            }
        }
        gradient[last] += self.intercept_ridge() * parameters[last];
        hessian[last * size + last] += self.intercept_ridge();
    }
}

/// Returns the intercept and the coefficients.
fn split(parameters: &[f64]) -> (f64, &[f64]) {
    parameters.split_last().map_or((0.0, &[][..]), |(intercept, coefficients)| (*intercept, coefficients))
}

/// Returns the largest violation of the conditions of Karush, Kuhn and Tucker.
///
/// The gradient must vanish where a coefficient is positive, and must not be negative where it is zero.
fn violation(parameters: &[f64], gradient: &[f64]) -> f64 {
    let last = parameters.len() - 1;
    let one = |(j, (p, g)): (usize, (&f64, &f64))| if j < last && *p <= 0.0 { (-g).max(0.0) } else { g.abs() };
    parameters.iter().zip(gradient).enumerate().map(one).fold(0.0, f64::max)
}

/// Minimises the quadratic model over steps that keep the coefficients non-negative.
fn newton_step(parameters: &[f64], gradient: &[f64], hessian: &[f64], step: &mut [f64]) {
    let size = parameters.len();
    let last = size - 1;
    step.fill(0.0);
    // The model's gradient at the current step.
    let mut slope = gradient.to_vec();
    for _ in 0..MOST_SWEEPS {
        let mut moved = 0.0_f64;
        for j in (0..size).rev() {
            let curvature = hessian[j * size + j];
            if curvature <= 0.0 {
                continue;
            }
            let wanted = step[j] - slope[j] / curvature;
            let next = if j < last { wanted.max(-parameters[j]) } else { wanted };
            let change = next - step[j];
            if change != 0.0 {
                step[j] = next;
                for (s, h) in slope.iter_mut().zip(&hessian[j * size..(j + 1) * size]) {
                    *s += change * h;
                }
                moved = moved.max(change.abs() * curvature.sqrt());
            }
        }
        if moved < 1e-12 {
            break;
        }
    }
}
