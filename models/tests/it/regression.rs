//! The non-negative logistic regression against scipy's bounded optimiser, and its optimality conditions.
//!
//! ```python
//! U=lcg(2000,777).reshape(-1,4)[:500]; X=np.where(U[:,:3]>0.6,U[:,:3],0).astype(np.float32).astype(float)
//! y=U[:,3]<1/(1+np.exp(-(-2+2*X[:,0]-1.5*X[:,1]+0.7*X[:,2]))); w=1+np.arange(500)%3; off=0.1*(np.arange(500)%5)
//! f=lambda p: np.sum(w*(np.logaddexp(0,X@p[:3]+p[3]+off)-y*(X@p[:3]+p[3]+off)))+0.75*np.sum(p[:3]**2)
//! minimize(f,[0,0,0,0],jac=g,method="L-BFGS-B",bounds=[(0,None)]*3+[(None,None)],options=dict(ftol=1e-16,gtol=1e-9))
//! ```

use crate::oracle::{Noise, assert_within};
use forewarn_models::logistic::{Design, LogisticError, Ridge, fit_non_negative};
use forewarn_models::stats::expit;

/// Makes a design of dense columns.
fn design_of(columns: &[Vec<f32>]) -> Result<Design, LogisticError> {
    let mut design = Design::new(columns.len());
    for row in 0..columns[0].len() {
        design.push_row(columns.iter().enumerate().map(|(j, column)| (j, column[row])))?;
    }
    Ok(design)
}

struct Case {
    columns: Vec<Vec<f32>>,
    labels: Vec<bool>,
    weights: Vec<f64>,
    offset: Vec<f64>,
}

fn case() -> Case {
    let mut state = 777_u64;
    let mut uniform = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        state as f64 / f64::from(1_u32 << 31)
    };
    let mut made = Case { columns: vec![Vec::new(); 3], labels: vec![], weights: vec![], offset: vec![] };
    for i in 0..500 {
        let x: [f32; 3] = std::array::from_fn(|_| Some(uniform()).filter(|u| *u > 0.6).unwrap_or(0.0) as f32);
        for (column, x) in made.columns.iter_mut().zip(x) {
            column.push(x);
        }
        let [a, b, c] = x.map(f64::from);
        made.labels.push(uniform() < expit(-2.0 + 2.0 * a - 1.5 * b + 0.7 * c));
        made.weights.push(1.0 + f64::from(i % 3));
        made.offset.push(0.1 * f64::from(i % 5));
    }
    made
}

#[test]
fn it_finds_scipys_minimum() {
    let Case { columns, labels, weights, offset } = case();
    let design = design_of(&columns).unwrap();
    let fitted = fit_non_negative(&design, &labels, &weights, &offset, Ridge::to_zero(1.5), 100).unwrap();
    for (got, want) in fitted.coefficients.iter().zip([1.852_873_697_9, 0.0, 0.463_439_218_8]) {
        assert_within(*got, want, 1e-6);
    }
    assert_within(fitted.intercept, -2.204_073_438_8, 1e-6);
    assert!(fitted.gradient_norm < 1e-8 && fitted.iterations < 20, "{fitted:?}");
    let row = [(0, 1.0), (1, 1.0), (9, 5.0)];
    assert_within(fitted.log_odds(row), fitted.intercept + fitted.coefficients[0], 1e-12);
}

/// The conditions of Karush, Kuhn and Tucker, from their definition: no gradient where a coefficient is positive, none
/// downhill where it is zero.
#[test]
fn a_wide_sparse_fit_is_optimal() {
    let mut noise = Noise(8);
    let (rows, columns, ridge) = (3000, 40, 0.5);
    let mut design = Design::new(columns);
    let mut dense = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..rows {
        let row: Vec<(usize, f32)> =
            (0..4).map(|_| ((noise.bits() % columns as u64) as usize, noise.uniform() as f32)).collect();
        let effect: f64 = row.iter().map(|&(j, v)| (j as f64 / 20.0 - 1.0) * 2.0 * f64::from(v)).sum();
        labels.push(noise.uniform() < expit(effect - 1.0));
        design.push_row(row.iter().copied()).unwrap();
        dense.push(row);
    }
    let fitted = fit_non_negative(&design, &labels, &[], &[], Ridge::to_zero(ridge), 50).unwrap();
    let mut gradient: Vec<f64> = fitted.coefficients.iter().map(|b| ridge * b).collect();
    let mut free = 0.0;
    for (row, label) in dense.iter().zip(&labels) {
        let residual = expit(fitted.log_odds(row.iter().copied())) - f64::from(u8::from(*label));
        free += residual;
        for &(j, v) in row {
            gradient[j] += residual * f64::from(v);
        }
    }
    assert_within(free, 0.0, 1e-3);
    let (mut active, mut bound) = (0, 0);
    for (b, g) in fitted.coefficients.iter().zip(&gradient) {
        if *b > 0.0 {
            active += 1;
            assert_within(*g, 0.0, 1e-4);
        } else {
            bound += 1;
            assert!(*b >= 0.0 && *g >= -1e-4, "{b} {g}");
        }
    }
    assert!(active > 10 && bound > 10, "{active} {bound}");
}

#[test]
fn odd_problems_have_finite_fits() {
    let design = design_of(&[vec![1.0, 0.0, 1.0, 0.0]]).unwrap();
    for labels in [[false; 4], [true; 4], [true, false, true, false]] {
        let fitted = fit_non_negative(&design, &labels, &[], &[], Ridge::to_zero(1.0), 100).unwrap();
        assert!(fitted.intercept.is_finite() && fitted.coefficients[0] >= 0.0, "{fitted:?}");
    }
    let empty = fit_non_negative(&Design::new(2), &[], &[], &[], Ridge::to_zero(1.0), 100).unwrap();
    assert_eq!(empty.coefficients, [0.0, 0.0]);
    let unweighted = fit_non_negative(&design, &[true; 4], &[0.0; 4], &[], Ridge::to_zero(1.0), 100).unwrap();
    assert!(unweighted.intercept.is_finite());
}

#[test]
fn bad_problems_say_what_is_wrong() {
    let mut design = Design::new(2);
    assert_eq!(
        design.push_row([(0, 1.0), (2, 1.0)]),
        Err(LogisticError::NoSuchColumn { row: 0, column: 2, columns: 2 })
    );
    assert_eq!(design.push_row([(1, f32::NAN)]), Err(LogisticError::NotFinite { row: 0, column: 1 }));
    assert_eq!(design.rows(), 0);
    design.push_row([(0, 1.0)]).unwrap();
    let fit = |labels: &[bool], weights: &[f64], offset: &[f64], ridge| {
        fit_non_negative(&design, labels, weights, offset, Ridge::to_zero(ridge), 10)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(fit(&[], &[], &[], 1.0).contains("labels has 0 entries"));
    assert!(fit(&[true], &[1.0, 2.0], &[], 1.0).contains("weights has 2 entries"));
    assert!(fit(&[true], &[-1.0], &[], 1.0).contains("the weight -1"));
    assert!(fit(&[true], &[], &[f64::NAN], 1.0).contains("the offset NaN"));
    assert!(fit(&[true], &[], &[], 0.0).contains("the ridge 0"));
    let drawn = |centre: &[f64]| {
        let ridge = Ridge { strength: 1.0, centre };
        fit_non_negative(&design, &[true], &[], &[], ridge, 10).map(|_| ()).unwrap_err().to_string()
    };
    assert!(drawn(&[0.0]).contains("the ridge has 1 centres"));
    assert!(drawn(&[0.0, -1.0]).contains("drawn towards -1"));
}
