"""The long proofs: each runs the real binary and judges what comes out with programs that are not ours."""
