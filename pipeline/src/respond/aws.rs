//! Hands in AWS: what each step reads and calls.
