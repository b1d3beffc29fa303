//! The course of one recovery: whatever is delivered, decided and lost, the log stays one that can be read again.
