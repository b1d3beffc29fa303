//! Checks a predicate's syntax tree against the allow-list and rebuilds it with parameters bound.

use super::function::{AGGREGATES, FUNCTIONS, WINDOWS, plain_arguments};
use crate::feature::columns;
use crate::ruleset::{Params, Problem, nearest};
use sqlparser::ast::{
    BinaryOperator as Op, CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField, ExactNumberInfo, Expr as Sql,
    Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, UnaryOperator,
    Value,
};
use std::collections::BTreeSet;

/// Deeper trees than this are nobody's rule.
const MAX_DEPTH: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Boolean,
    /// The literal NULL fits either.
    Null,
}

/// A checked part of the tree: rebuilt, with its type.
pub(super) struct Checked {
    pub(super) sql: Sql,
    pub(super) kind: Kind,
    /// Arithmetic went in, so NaN can come out.
    computed: bool,
}

pub(super) struct Checker<'a> {
    params: &'a Params,
    used: &'a mut dyn FnMut(&str),
    names: Vec<String>,
    pub(super) columns: BTreeSet<usize>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(params: &'a Params, used: &'a mut dyn FnMut(&str)) -> Self {
        Self { params, used, names: columns(), columns: BTreeSet::new() }
    }

    /// Checks and rebuilds one expression.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an allow-list: whatever isn't named is refused")]
    pub(super) fn expression(&mut self, e: &Sql, depth: usize) -> Result<Checked, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::TooDeep(MAX_DEPTH));
        }
        let d = depth + 1;
        match e {
            Sql::Nested(inner) => self.expression(inner, d),
            Sql::Identifier(name) => self.column(&name.value),
            Sql::CompoundIdentifier(_) => self.column(&e.to_string()),
            Sql::Value(v) => self.value(&v.value),
            Sql::UnaryOp { op: UnaryOperator::Not, expr } => {
                Ok(boolean(unary(UnaryOperator::Not, self.boolean(expr, d)?)))
            }
            Sql::UnaryOp { op: UnaryOperator::Minus, expr } => {
                let inner = self.number(expr, d)?;
                Ok(Checked {
                    sql: unary(UnaryOperator::Minus, inner.sql),
                    kind: Kind::Number,
                    computed: inner.computed,
                })
            }
            Sql::UnaryOp { op: UnaryOperator::Plus, expr } => self.number(expr, d),
            Sql::BinaryOp { left, op, right } => self.binary(left, op, right, d),
            Sql::IsNull(inner) => Ok(boolean(Sql::IsNull(Box::new(self.clean(inner, d)?)))),
            Sql::IsNotNull(inner) => Ok(boolean(Sql::IsNotNull(Box::new(self.clean(inner, d)?)))),
            Sql::Between { expr, negated, low, high } => {
                let x = self.clean(expr, d)?;
                let low = binary(x.clone(), Op::GtEq, self.clean(low, d)?);
                let high = binary(x, Op::LtEq, self.clean(high, d)?);
                Ok(boolean(negate(*negated, binary(low, Op::And, high))))
            }
            Sql::InList { expr, list, negated } => {
                let x = self.clean(expr, d)?;
                let mut any: Option<Sql> = None;
                for item in list {
                    let equal = binary(x.clone(), Op::Eq, self.clean(item, d)?);
                    any = Some(any.map_or(equal.clone(), |a| binary(a, Op::Or, equal)));
                }
                let any = any.ok_or_else(|| Problem::Unsupported("IN ()".to_owned()))?;
                Ok(boolean(negate(*negated, any)))
            }
            Sql::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), d)
            }
            Sql::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.call("ceil", &[expr], d)
            }
            Sql::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.call("floor", &[expr], d)
            }
            Sql::Function(call) => self.function(call, d),
            Sql::Subquery(_) | Sql::InSubquery { .. } | Sql::Exists { .. } | Sql::AnyOp { .. } | Sql::AllOp { .. } => {
                Err(Problem::Subquery)
            }
            other => Err(Problem::Unsupported(other.to_string())),
        }
    }

    fn column(&mut self, name: &str) -> Result<Checked, Problem> {
        let Some(index) = self.names.iter().position(|c| c == name) else {
            let nearest = nearest(name, self.names.iter().map(String::as_str));
            return Err(Problem::UnknownColumn { name: name.to_owned(), nearest });
        };
        self.columns.insert(index);
        Ok(Checked { sql: Sql::Identifier(Ident::new(name)), kind: Kind::Number, computed: false })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an allow-list: whatever isn't named is refused")]
    fn value(&mut self, value: &Value) -> Result<Checked, Problem> {
        match value {
            Value::Number(text, false) => {
                let number = text.parse::<f64>().ok().filter(|v| v.is_finite());
                number.map(literal).ok_or_else(|| Problem::Unsupported(text.clone()))
            }
            Value::Boolean(_) => Ok(boolean(Sql::Value(value.clone().with_empty_span()))),
            Value::Null => {
                Ok(Checked { sql: Sql::Value(Value::Null.with_empty_span()), kind: Kind::Null, computed: false })
            }
            Value::Placeholder(name) => match name.strip_prefix(':') {
                Some(param) => {
                    (self.used)(param);
                    self.params.get(param).map(literal)
                }
                None => Err(Problem::Unsupported(name.clone())),
            },
            other => Err(Problem::Unsupported(other.to_string())),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an allow-list: whatever isn't named is refused")]
    fn binary(&mut self, left: &Sql, op: &Op, right: &Sql, d: usize) -> Result<Checked, Problem> {
        match op {
            Op::And | Op::Or => Ok(boolean(binary(self.boolean(left, d)?, op.clone(), self.boolean(right, d)?))),
            Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
                Ok(boolean(binary(self.clean(left, d)?, op.clone(), self.clean(right, d)?)))
            }
            Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo => {
                let (l, r) = (self.number(left, d)?.sql, self.number(right, d)?.sql);
                let divides = matches!(op, Op::Divide | Op::Modulo);
                let r = if divides { call("NULLIF", vec![r, literal(0.0).sql]) } else { r };
                Ok(Checked { sql: binary(l, op.clone(), r), kind: Kind::Number, computed: true })
            }
            other => Err(Problem::Unsupported(other.to_string())),
        }
    }

    fn case(
        &mut self,
        operand: Option<&Sql>,
        whens: &[CaseWhen],
        otherwise: Option<&Sql>,
        d: usize,
    ) -> Result<Checked, Problem> {
        let operand = operand.map(|o| self.clean(o, d)).transpose()?;
        let mut kind = Kind::Null;
        let mut computed = false;
        let mut result = |this: &mut Self, e: &Sql| -> Result<Sql, Problem> {
            let part = this.expression(e, d)?;
            match (kind, part.kind) {
                (Kind::Null, k) => kind = k,
                (Kind::Number, Kind::Boolean) => return Err(Problem::NotNumber(e.to_string())),
                (Kind::Boolean, Kind::Number) => return Err(Problem::NotBoolean(e.to_string())),
                (Kind::Number, Kind::Number | Kind::Null) | (Kind::Boolean, Kind::Boolean | Kind::Null) => {}
            }
            computed |= part.computed;
            Ok(part.sql)
        };
        let mut conditions = Vec::with_capacity(whens.len());
        for when in whens {
            let condition = match &operand {
                Some(x) => binary(x.clone(), Op::Eq, self.clean(&when.condition, d)?),
                None => self.boolean(&when.condition, d)?,
            };
            conditions.push(CaseWhen { condition, result: result(self, &when.result)? });
        }
        let null = Sql::Value(Value::Null.with_empty_span());
        let otherwise = otherwise.map(|e| result(self, e)).transpose()?.unwrap_or(null);
        let sql = Sql::Case {
            case_token: sqlparser::ast::helpers::attached_token::AttachedToken::empty(),
            end_token: sqlparser::ast::helpers::attached_token::AttachedToken::empty(),
            operand: None,
            conditions,
            else_result: Some(Box::new(otherwise)),
        };
        Ok(Checked { sql, kind, computed })
    }

    fn function(&mut self, f: &Function, d: usize) -> Result<Checked, Problem> {
        let name = f.name.to_string().to_lowercase();
        if f.over.is_some() || WINDOWS.contains(&name.as_str()) {
            return Err(Problem::Window(name));
        }
        if AGGREGATES.contains(&name.as_str()) {
            return Err(Problem::Aggregate(name));
        }
        if !FUNCTIONS.iter().any(|s| s.name == name) {
            let nearest = nearest(&name, FUNCTIONS.iter().map(|s| s.name));
            return Err(Problem::UnknownFunction { name, nearest });
        }
        if matches!(f.args, FunctionArguments::Subquery(_)) {
            return Err(Problem::Subquery);
        }
        let arguments = plain_arguments(f).ok_or_else(|| Problem::Unsupported(f.to_string()))?;
        self.call(&name, &arguments, d)
    }

    fn call(&mut self, name: &str, arguments: &[&Sql], d: usize) -> Result<Checked, Problem> {
        let spec = FUNCTIONS.iter().find(|s| s.name == name);
        let spec = spec.ok_or_else(|| Problem::UnknownFunction { name: name.to_owned(), nearest: None })?;
        if !(spec.least..=spec.most).contains(&arguments.len()) {
            return Err(Problem::Arguments { name: spec.name, takes: spec.takes, given: arguments.len() });
        }
        let mut rebuilt = Vec::with_capacity(arguments.len());
        for a in arguments {
            rebuilt.push(if spec.absorbs_null { self.clean(a, d)? } else { self.number(a, d)?.sql });
        }
        Ok(Checked { sql: call(&spec.name.to_uppercase(), rebuilt), kind: Kind::Number, computed: true })
    }

    fn boolean(&mut self, e: &Sql, d: usize) -> Result<Sql, Problem> {
        let checked = self.expression(e, d)?;
        match checked.kind {
            Kind::Boolean | Kind::Null => Ok(checked.sql),
            Kind::Number => Err(Problem::NotBoolean(e.to_string())),
        }
    }

    fn number(&mut self, e: &Sql, d: usize) -> Result<Checked, Problem> {
        let checked = self.expression(e, d)?;
        match checked.kind {
            Kind::Number => Ok(checked),
            // Typed, so that Polars compares NULL as the number it stands for.
            Kind::Null => Ok(Checked { sql: cast(checked.sql), kind: Kind::Number, computed: false }),
            Kind::Boolean => Err(Problem::NotNumber(e.to_string())),
        }
    }

    /// A number in which NaN has become NULL.
    fn clean(&mut self, e: &Sql, d: usize) -> Result<Sql, Problem> {
        let checked = self.number(e, d)?;
        if !checked.computed {
            return Ok(checked.sql);
        }
        let nan = cast(Sql::Value(Value::SingleQuotedString("NaN".to_owned()).with_empty_span()));
        Ok(call("NULLIF", vec![checked.sql, nan]))
    }
}

fn boolean(sql: Sql) -> Checked {
    Checked { sql, kind: Kind::Boolean, computed: false }
}

/// Prints every number as a float, so that no arithmetic is done in integers; negative ones stand in parentheses.
fn literal(value: f64) -> Checked {
    let mut text = value.abs().to_string();
    if !text.contains('.') {
        text.push_str(".0");
    }
    let magnitude = Sql::Value(Value::Number(text, false).with_empty_span());
    let sql = if value < 0.0 { unary(UnaryOperator::Minus, magnitude) } else { magnitude };
    Checked { sql, kind: Kind::Number, computed: false }
}

fn unary(op: UnaryOperator, e: Sql) -> Sql {
    Sql::Nested(Box::new(Sql::UnaryOp { op, expr: Box::new(e) }))
}

fn binary(left: Sql, op: Op, right: Sql) -> Sql {
    Sql::Nested(Box::new(Sql::BinaryOp { left: Box::new(left), op, right: Box::new(right) }))
}

fn negate(negated: bool, e: Sql) -> Sql {
    if negated { unary(UnaryOperator::Not, e) } else { e }
}

fn cast(e: Sql) -> Sql {
    Sql::Cast {
        kind: CastKind::Cast,
        expr: Box::new(e),
        data_type: DataType::Double(ExactNumberInfo::None),
        array: false,
        format: None,
    }
}

fn call(name: &str, arguments: Vec<Sql>) -> Sql {
    Sql::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
