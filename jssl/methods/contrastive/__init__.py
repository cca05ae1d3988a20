"""Contrastive methods: views of one example attract, others repel."""
