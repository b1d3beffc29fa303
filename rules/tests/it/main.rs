//! Integration tests of the rules.

#[cfg(test)]
mod default_rules;
#[cfg(test)]
mod episode;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod level;
#[cfg(test)]
mod predict;
#[cfg(test)]
mod property;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod support;
mod workload;
