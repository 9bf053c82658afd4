"""What can be done to the data: generators that yield SQL and are sent rows. They know no driver, no clock and no chance."""
