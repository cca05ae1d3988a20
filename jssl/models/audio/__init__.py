"""Networks of waveforms and frames of sound."""
