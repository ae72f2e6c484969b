extension Unicode.Scalar {
  /// The columns of a terminal that this character takes: 0 for combining characters, 2 for wide and fullwidth
  /// ones (Unicode Standard Annex 11, East Asian Width, as of 15.1), else 1. Terminals differ for some emoji:
  /// the wider answer is given, so that a line never wraps.
  var displayWidth: Int {
    if value < 0x300 { return 1 }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return self == "\u{fe0f}" ? 1 : 0
    default: break
    }
    // Vowels and final consonants of a Hangul syllable are drawn into its first cell.
    if (0x1160...0x11ff).contains(value) || (0xd7b0...0xd7ff).contains(value) { return 0 }
    return isWide ? 2 : 1
  }

  private var isWide: Bool {
    if value < 0x1100 { return false }
    return properties.isEmojiPresentation || Self.wide.contains { $0.contains(value) }
  }

  /// The blocks of UAX 11's W and F; single emoji are recognized by their own property (UTS 51).
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115f,  // Hangul initial consonants
    0x2329...0x232a,  // Angle brackets
    0x2e80...0x303e,  // CJK radicals, punctuation
    0x3041...0xa4cf,  // Kana, Bopomofo, ideographs, Yi
    0xa960...0xa97f,  // Hangul Jamo Extended-A
    0xac00...0xd7a3,  // Hangul syllables
    0xf900...0xfaff,  // CJK compatibility ideographs
    0xfe10...0xfe19,  // Vertical forms
    0xfe30...0xfe6f,  // CJK compatibility and small forms
    0xff01...0xff60,  // Fullwidth forms
    0xffe0...0xffe6,  // Fullwidth signs
    0x16fe0...0x18dff,  // Tangut, Khitan
    0x1aff0...0x1b2ff,  // Kana extensions, Nushu
    0x1f200...0x1f265,  // Enclosed ideographs
    0x1f300...0x1f64f,  // Pictographs, faces
    0x1f680...0x1f6ff,  // Transport
    0x1f900...0x1f9ff,  // Supplemental pictographs
    0x1fa70...0x1faff,  // Pictographs Extended-A
    0x20000...0x3fffd,  // Ideographs of planes 2 and 3
  ]
}

extension String {
  /// The columns of a terminal that this text takes.
  var displayWidth: Int {
    if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
    return unicodeScalars.reduce(0) { $0 + $1.displayWidth }
  }

  /// This text in at most `columns` columns, cut with `…` where it does not fit. More than a few combining
  /// characters on one base, which only an attacker writes, are left out.
  func fitted(to columns: Int) -> String {
    if columns < 1 { return "" }
    if utf8.count <= columns, displayWidth <= columns { return self }
    var text = String.UnicodeScalarView()
    var (width, combining) = (0, 0)
    // The scalars that leave a column for the mark.
    var (count, kept) = (0, 0)
    for scalar in unicodeScalars {
      let columnsTaken = scalar.displayWidth
      combining = columnsTaken == 0 ? combining + 1 : 0
      if combining > 4 { continue }
      if width + columnsTaken > columns { return String(text.prefix(kept)) + "…" }
      width += columnsTaken
      text.append(scalar)
      count += 1
      if width < columns { kept = count }
    }
    return String(text)
  }
}
