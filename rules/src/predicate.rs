//! Compiles the predicates of rules: SQL over the feature columns of one row, nothing else.
//!
//! A predicate is parsed into a syntax tree, checked against an allow-list of Boolean and element-wise forms, and its
//! parameters are bound there as literals, never by editing text. Polars compiles the checked tree once and evaluates it on
//! whole columns. Three-valued logic holds throughout: what compares with an unknown feature is NULL, and NULL doesn't fire.
//! A number that can't be computed (a division by zero, the root of a negative) is NULL too, where Polars alone would have NaN,
//! which it takes for greater than everything.

mod check;
mod function;

pub use function::{FUNCTIONS, FunctionSpec};

use crate::feature::columns;
use crate::ruleset::{Params, Problem};
use crate::table::FeatureTable;
use check::{Checker, Kind};
use polars::prelude::{Column, DataFrame, Expr, IntoColumn, IntoLazy, NamedFrom, PolarsError, Series, col};
use polars::sql::sql_expr;
use sqlparser::ast::Expr as Sql;
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeSet;

/// A checked predicate, ready to run.
#[derive(Debug, Clone)]
pub struct Predicate {
    written: String,
    sql: String,
    columns: BTreeSet<usize>,
    expr: Expr,
}

impl Predicate {
    /// Compiles `text`; `used` is told of each parameter it names.
    ///
    /// # Errors
    /// When it isn't one Boolean, element-wise expression over known columns and parameters.
    pub fn compile(text: &str, params: &Params, used: &mut dyn FnMut(&str)) -> Result<Self, Problem> {
        let tree = parse(text)?;
        let mut checker = Checker::new(params, used);
        let checked = checker.expression(&tree, 0)?;
        match checked.kind {
            Kind::Boolean => {}
            Kind::Number => return Err(Problem::NotBoolean(tree.to_string())),
            Kind::Null => return Err(Problem::Syntax("it is always NULL, so it would never fire".to_owned())),
        }
        let sql = checked.sql.to_string();
        let expr = sql_expr(&sql).map_err(|e| Problem::Polars(e.to_string()))?;
        Ok(Self { written: text.split_whitespace().collect::<Vec<_>>().join(" "), sql, columns: checker.columns, expr })
    }

    /// Gives the predicate as the rule set has it, on one line.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Gives the SQL that runs, parameters bound.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Gives the indexes of the feature columns that it reads.
    pub fn columns(&self) -> &BTreeSet<usize> {
        &self.columns
    }
}

/// Says which predicate fires in which row: one vector of rows for each predicate.
///
/// # Errors
/// When Polars refuses an expression, which [`Predicate::compile`] and a dry run rule out.
pub fn evaluate(predicates: &[&Predicate], table: &FeatureTable) -> Result<Vec<Vec<bool>>, PolarsError> {
    const ROW: &str = "__row";
    if predicates.is_empty() || table.is_empty() {
        return Ok(vec![vec![false; table.len()]; predicates.len()]);
    }
    let names = columns();
    let used: BTreeSet<usize> = predicates.iter().flat_map(|p| p.columns.iter().copied()).collect();
    let mut frame: Vec<Column> = Vec::with_capacity(used.len() + 1);
    // One column of full length stretches predicates without columns, such as TRUE, over all rows.
    frame.push(Series::new(ROW.into(), &table.as_of).into_column());
    for index in used {
        let values: Vec<Option<f64>> = table.values[index].iter().map(|v| v.is_finite().then_some(*v)).collect();
        frame.push(Series::new(names[index].as_str().into(), values).into_column());
    }
    let mut select: Vec<Expr> = vec![col(ROW)];
    select.extend(predicates.iter().enumerate().map(|(i, p)| p.expr.clone().alias(format!("rule_{i}"))));
    let fired = DataFrame::new(table.len(), frame)?.lazy().select(select).collect()?;
    (0..predicates.len())
        .map(|i| Ok(fired.column(&format!("rule_{i}"))?.bool()?.iter().map(|v| v.unwrap_or(false)).collect()))
        .collect()
}

fn parse(text: &str) -> Result<Sql, Problem> {
    let syntax = |e: sqlparser::parser::ParserError| Problem::Syntax(e.to_string());
    let tokens =
        Tokenizer::new(&GenericDialect, text).tokenize_with_location().map_err(|e| Problem::Syntax(e.to_string()))?;
    // Before parsing: the parser tries each parenthesis in several ways, so that its time grows exponentially with depth.
    if nesting(tokens.iter().map(|t| &t.token)) > MAX_NESTING {
        return Err(Problem::TooDeep(MAX_NESTING));
    }
    let mut parser = Parser::new(&GenericDialect).with_tokens_with_locations(tokens);
    if let Token::Word(word) = &parser.peek_token().token
        && STATEMENTS.contains(&word.keyword)
    {
        return Err(Problem::Statement(word.value.clone()));
    }
    let tree = parser.parse_expr().map_err(syntax)?;
    let next = parser.peek_token().token;
    if next == Token::SemiColon {
        Err(Problem::Statement(next.to_string()))
    } else if next == Token::EOF {
        Ok(tree)
    } else {
        Err(Problem::Syntax(format!("nothing may follow the expression, but `{next}` does")))
    }
}

/// Deeper nesting than this is nobody's rule.
const MAX_NESTING: usize = 8;

/// The greatest depth of parentheses, brackets and CASE.
fn nesting<'a>(tokens: impl Iterator<Item = &'a Token>) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for token in tokens {
        let keyword = if let Token::Word(w) = token { w.keyword } else { Keyword::NoKeyword };
        if matches!(token, Token::LParen | Token::LBracket | Token::LBrace) || keyword == Keyword::CASE {
            depth += 1;
            deepest = deepest.max(depth);
        } else if matches!(token, Token::RParen | Token::RBracket | Token::RBrace) || keyword == Keyword::END {
            depth = depth.saturating_sub(1);
        }
    }
    deepest
}

const STATEMENTS: [Keyword; 16] = [
    Keyword::SELECT,
    Keyword::WITH,
    Keyword::INSERT,
    Keyword::UPDATE,
    Keyword::DELETE,
    Keyword::DROP,
    Keyword::CREATE,
    Keyword::ALTER,
    Keyword::TRUNCATE,
    Keyword::COPY,
    Keyword::SET,
    Keyword::SHOW,
    Keyword::EXPLAIN,
    Keyword::VALUES,
    Keyword::MERGE,
    Keyword::FROM,
];

#[cfg(test)]
mod tests;
