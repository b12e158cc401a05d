"""`flotilla eval`: how well documents are found and questions answered, on a set of data whose
right answers are known."""
