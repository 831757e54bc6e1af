"""Sentences about results, and their safe form; the words of a score are the score's, those of a grade the grade's."""
