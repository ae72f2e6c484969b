enum HTTPRecordsPlaceholder {}
