import Foundation
import Lab

/// A page of the manual in man(7)'s macros, made of what a program says of itself (`--experimental-dump-help`), of README's
/// examples and of the samples' first sentences.
struct Manual {
  /// What the argument parser says of a program.
  private struct Dump: Decodable {
    let command: Command
  }

  private struct Command: Decodable {
    let abstract: String
    let discussion: String
    let arguments: [Argument]
  }

  private struct Argument: Decodable {
    struct Name: Decodable {
      let kind: String
      let name: String

      /// As it is written on a command line.
      var text: String { (kind == "long" ? "--" : "-") + name }
    }

    let kind: String
    let names: [Name]?
    let abstract: String?
    let valueName: String?
    let defaultValue: String?
    let allValues: [String]?
    let isOptional: Bool
    let isRepeating: Bool
    let shouldDisplay: Bool
  }

  /// Of the last change of what all pages have in common: mandoc(1) wants one.
  private static let date = "2026-11-30"

  private let program: String
  private let programs: [String]
  private let version: String
  private let command: Command
  private let examples: [(command: String, comment: String)]
  private let samples: [(name: String, sentence: String)]

  /// Asks a built program, one of `programs`, and reads the project at `root`.
  init(of program: String, among programs: [String], root: URL) async throws {
    self.program = program
    self.programs = programs
    version =
      try await run([Program.path(program), "--version"]).split(separator: "(").last
      .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: ")\n")) } ?? ""
    let dump = try await run([Program.path(program), "--experimental-dump-help"])
    command = try JSONDecoder().decode(Dump.self, from: Data(dump.utf8)).command
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    // Between fences; prose may begin with the name of a program as well.
    let blocks = readme.components(separatedBy: "```").enumerated().filter { !$0.offset.isMultiple(of: 2) }
    let lines = blocks.flatMap { $0.element.split(separator: "\n") }
    examples = lines.filter { $0.hasPrefix("\(program) ") }.map { line in
      let parts = line.split(separator: " # ", maxSplits: 1)
      return (parts[0].trimmingCharacters(in: .whitespaces), parts.count > 1 ? String(parts[1]) : "")
    }
    samples = try Self.samples(of: program, among: programs, root.appending(path: "samples"))
  }

  /// The samples that are named like the program, or whose first sentence names it.
  private static func samples(
    of program: String, among programs: [String], _ folder: URL
  ) throws -> [(name: String, sentence: String)] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().compactMap { name in
      let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
      let sentence = Self.firstSentence(text)
      let isOfOne = programs.contains { name.hasPrefix("\($0).") }
      return name.hasPrefix("\(program).") || !isOfOne && sentence.contains(program) ? (name, sentence) : nil
    }
  }

  /// Of the comment at the beginning.
  private static func firstSentence(_ text: String) -> String {
    let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    if let comment = lines.first(where: { $0.hasPrefix("\"//\": \"") }) {
      return String(comment.dropFirst(7).prefix { $0 != "\"" })
    }
    let comment = lines.prefix { $0.hasPrefix("# ") }.map { $0.dropFirst(2) }.joined(separator: " ")
    return comment.firstRange(of: ". ").map { comment[..<$0.lowerBound] + "." } ?? comment
  }

  /// The parts of the page, in the order of man-pages(7).
  var sections: [(title: String, lines: [String])] {
    let (description, status) = discussion
    let options = command.arguments.filter(\.shouldDisplay).flatMap(Self.option)
    let files = samples.flatMap { sample in
      [".TP", "\\fIshare/doc/bwmon/samples/\(Self.escaped(sample.name))\\fR"] + Self.prose(sample.sentence)
    }
    let shown = examples.flatMap { example in
      [".TP", "\\fB\(Self.escaped(example.command))\\fR"] + Self.prose(example.comment)
    }
    let others = programs.filter { $0 != program }
    let pages = others.map { ".BR \(Self.escaped($0)) (1)" + ($0 == others.last ? "" : ",") }
    return [
      ("NAME", ["\(program) \\- \(Self.escaped(Self.uncapitalized(command.abstract)))"]),
      ("SYNOPSIS", ["\\fB\(program)\\fR", "[\\fIoptions\\fR]"] + positionals), ("DESCRIPTION", description),
      ("OPTIONS", options), ("EXIT STATUS", status), ("FILES", files), ("EXAMPLES", shown),
      ("SEE ALSO", pages + [".PP"] + Self.prose("README.md and the folder Docs in share/doc/bwmon.")),
    ]
  }

  /// The page.
  var text: String {
    let head = [
      #".\" Made of what the program says of itself by ManualTests: change that, not this file."#,
      #".TH \#(program.uppercased()) 1 "\#(Self.date)" "\#(version)" "bwmon""#,
    ]
    return (head + sections.filter { !$0.lines.isEmpty }.flatMap { [".SH \($0.title)"] + $0.lines }).joined(
      separator: "\n") + "\n"
  }

  private var positionals: [String] {
    command.arguments.filter { $0.kind == "positional" && $0.shouldDisplay }.map { argument in
      let value = Self.value(argument) + (argument.isRepeating ? " ..." : "")
      return argument.isOptional ? "[\(value)]" : value
    }
  }

  /// Paragraphs of the description, and the list of exit statuses, which is the end of the last paragraph.
  private var discussion: (description: [String], status: [String]) {
    let parts = command.discussion.components(separatedBy: "Exit status: ")
    var description: [String] = []
    for paragraph in parts[0].components(separatedBy: "\n\n") where !paragraph.isEmpty {
      if !description.isEmpty { description.append(".PP") }
      var isTable = false
      for line in paragraph.split(separator: "\n") {
        if line.hasPrefix("  ") != isTable {
          isTable.toggle()
          description += isTable ? [".PP", ".nf"] : [".fi", ".PP"]
        }
        description += isTable ? [Self.escaped(String(line))] : Self.prose(String(line))
      }
      if isTable { description.append(".fi") }
    }
    let statuses = (parts.last ?? "").split(separator: "; ").reduce(into: [String]()) { list, part in
      if part.first?.isNumber == true || list.isEmpty {
        list.append(String(part))
      } else {
        list[list.count - 1] += "; \(part)"
      }
    }
    let status = statuses.flatMap { entry in
      let words = entry.split(separator: " ", maxSplits: 1).map(String.init)
      return [".TP", "\\fB\(words[0])\\fR"] + Self.prose(words.count > 1 ? Self.withoutStop(words[1]) : "")
    }
    return (description, status)
  }

  private static func option(_ argument: Argument) -> [String] {
    let names = (argument.names ?? []).map { "\\fB\(escaped($0.text))\\fR" }.joined(separator: ", ")
    let head =
      switch argument.kind {
      case "positional": value(argument)
      case "option": "\(names) \(value(argument))"
      default: names
      }
    var text = argument.abstract ?? ""
    if let values = argument.allValues { text += " One of \(values.joined(separator: ", "))." }
    if let standard = argument.defaultValue { text += " Default: \(standard)." }
    if argument.isRepeating, argument.kind == "option" { text += " May be given several times." }
    return [".TP", head] + prose(text)
  }

  private static func value(_ argument: Argument) -> String { "\\fI\(escaped(argument.valueName ?? ""))\\fR" }

  private static func uncapitalized(_ text: String) -> String {
    text.prefix(1).lowercased() + withoutStop(String(text.dropFirst()))
  }

  private static func withoutStop(_ text: String) -> String {
    text.hasSuffix(".") ? String(text.dropLast()) : text
  }

  /// Lines of running text, a line a sentence; what is in backquotes is bold.
  private static func prose(_ text: String) -> [String] {
    text.trimmingCharacters(in: .whitespacesAndNewlines).replacing(". ", with: ".\n").split(separator: "\n")
      .map { line in
        let parts = line.split(separator: "`", omittingEmptySubsequences: false)
        let marked = parts.enumerated().map { index, part in
          index % 2 == 1 ? "\\fB\(escaped(String(part)))\\fR" : escaped(String(part))
        }.joined()
        return marked.hasPrefix(".") || marked.hasPrefix("\\(aq") ? "\\&" + marked : marked
      }
  }

  /// Characters that mean something to roff, and those that it would make typographic.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      case "'": result += "\\(aq"
      case "`": result += "\\(ga"
      case "^": result += "\\(ha"
      case "~": result += "\\(ti"
      default: result.append(character)
      }
    }
    return result
  }
}
