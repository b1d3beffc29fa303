//! Lists the functions that a predicate may call: element-wise, over numbers, each known to Polars SQL.

use sqlparser::ast::{Expr as Sql, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

/// Describes one function that predicates may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Its name.
    pub name: &'static str,
    /// The fewest arguments.
    pub least: usize,
    /// The most arguments.
    pub most: usize,
    /// The arguments in words.
    pub takes: &'static str,
    /// True when a NULL among the arguments may disappear from the result, so that arguments must be clean of NaN.
    pub(super) absorbs_null: bool,
}

/// Every function that predicates may call. `least`, `greatest` and `coalesce` pass over NULL.
pub const FUNCTIONS: [FunctionSpec; 13] = [
    spec("abs", 1, 1, "one number", false),
    spec("ceil", 1, 1, "one number", false),
    spec("coalesce", 2, 16, "two or more numbers", true),
    spec("exp", 1, 1, "one number", false),
    spec("floor", 1, 1, "one number", false),
    spec("greatest", 2, 16, "two or more numbers", true),
    spec("least", 2, 16, "two or more numbers", true),
    spec("ln", 1, 1, "one number", false),
    spec("nullif", 2, 2, "two numbers", true),
    spec("power", 2, 2, "two numbers", false),
    spec("round", 1, 1, "one number", false),
    spec("sign", 1, 1, "one number", false),
    spec("sqrt", 1, 1, "one number", false),
];

const fn spec(name: &'static str, least: usize, most: usize, takes: &'static str, absorbs_null: bool) -> FunctionSpec {
    FunctionSpec { name, least, most, takes, absorbs_null }
}

/// Functions over many rows, refused by name so that the error can say why.
pub(super) const AGGREGATES: [&str; 25] = [
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "corr",
    "count",
    "covar",
    "covar_pop",
    "covar_samp",
    "first",
    "last",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "quantile_cont",
    "quantile_disc",
    "stddev",
    "stddev_samp",
    "sum",
    "total",
    "var",
    "variance",
];

/// Functions over neighbouring rows, refused by name so that the error can say why.
pub(super) const WINDOWS: [&str; 9] =
    ["dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "rank", "row_number"];

/// Gives the plain positional arguments of a call, or None when it carries anything else (DISTINCT, names, FILTER, wildcards).
pub(super) fn plain_arguments(call: &Function) -> Option<Vec<&Sql>> {
    let extras = call.uses_odbc_syntax
        || !matches!(call.parameters, FunctionArguments::None)
        || call.filter.is_some()
        || call.null_treatment.is_some()
        || !call.within_group.is_empty();
    let FunctionArguments::List(list) = &call.args else { return None };
    if extras || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    list.args
        .iter()
        .map(|a| if let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = a { Some(e) } else { None })
        .collect()
}
