public import Model

/// Writes JSON (RFC 8259).
package enum JSONText {
  /// A string with its quotation marks. Control characters, also those of Unicode that drive a terminal, are escaped.
  package static func string(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default:
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: result += escape(scalar)
        default: result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }

  /// An object; the values are JSON already.
  package static func object(_ members: [(name: String, value: String)]) -> String {
    "{" + members.map { "\(string($0.name)):\($0.value)" }.joined(separator: ",") + "}"
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    String(scalar).utf16.map { unit in
      let digits = String(unit, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined()
  }
}

extension Notification {
  /// All of it as one JSON object: `{"schema":1,"event":"notification","rule":..,..,"line":..}`. Each fact is a string
  /// under its name without `BWMON_`, in small letters.
  public var json: String {
    let facts = facts.map { fact -> (name: String, value: String) in
      let name = fact.name.hasPrefix("BWMON_") ? String(fact.name.dropFirst(6)) : fact.name
      return (name.lowercased(), JSONText.string(fact.value))
    }
    return JSONText.object(
      [("schema", "1"), ("event", JSONText.string("notification"))] + facts + [
        ("line", JSONText.string(line))
      ])
  }
}

extension Timestamp {
  /// Seconds, nanoseconds, and seconds ahead of UTC.
  package var json: String { "[\(seconds),\(nanoseconds),\(utcOffset)]" }

  /// Reads what `json` has written; nil for anything else, and beyond the year 9999.
  package init?(_ json: JSONValue) {
    guard case .array(let values) = json.content, values.count == 3,
      let seconds = values[0].integer, (-62_135_596_800...253_402_300_799).contains(seconds),
      let nanoseconds = values[1].integer, (0...999_999_999).contains(nanoseconds),
      let offset = values[2].integer, (-86_400...86_400).contains(offset)
    else { return nil }
    self.init(seconds: Int64(seconds), nanoseconds: Int32(nanoseconds), utcOffset: Int32(offset))
  }
}
