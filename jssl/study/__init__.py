"""Studies: questions about self-supervised learning that one command answers with runs of its own. See docs/studies.md."""
