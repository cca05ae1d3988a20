"""Losses that predict a teacher's features of what the student does not see."""
