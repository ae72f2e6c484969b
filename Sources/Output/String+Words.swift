extension String {
  /// This text on lines of at most `columns` columns, broken between words; a longer word is broken where the line
  /// ends, so that a path can still be read whole.
  func wrappedWords(to columns: Int) -> [String] {
    if columns < 1 { return [] }
    var lines: [String] = []
    for word in split(separator: " ").map(String.init) {
      if let last = lines.last, (last + " " + word).displayWidth <= columns {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines += word.pieces(of: columns)
      }
    }
    return lines
  }

  private func pieces(of columns: Int) -> [String] {
    var pieces: [String] = []
    var piece = ""
    for character in self {
      if !piece.isEmpty, (piece + String(character)).displayWidth > columns {
        pieces.append(piece)
        piece = ""
      }
      piece.append(character)
    }
    return (pieces + [piece]).map { $0.fitted(to: columns) }
  }
}
