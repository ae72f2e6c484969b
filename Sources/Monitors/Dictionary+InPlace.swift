extension Dictionary {
  /// Changes every value where it is. Not over `values.indices`: they hold the dictionary, and the first change would
  /// copy it.
  mutating func changeValues(_ change: (inout Value) -> Void) {
    var index = startIndex
    while index < endIndex {
      change(&values[index])
      formIndex(after: &index)
    }
  }
}
