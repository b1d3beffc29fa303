//! Pure mathematics on slices: trend, seasonality, first passage, calibration and scoring measures.
