"""One file a revision. None of them uses the code of today: it must do in years what it did when it was written."""
