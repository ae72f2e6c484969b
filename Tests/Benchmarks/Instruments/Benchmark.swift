import Model
import Netfilter
import SystemRuntime

/// What a script of this folder measures with: each line that it writes asks for one round, each line that it
/// reads holds the figures of that round, as names and numbers.
protocol Instrument {
  /// Does one round of work; milliseconds, or what the name says.
  mutating func measure() throws -> [(name: String, value: Double)]
}

/// Measures inside one process, so that neither starting it nor printing counts.
@main struct Benchmark {
  static func main() throws {
    var instrument = try instrument(Swift.CommandLine.arguments.last ?? "")
    while readLine() != nil {
      let figures = try instrument.measure()
      let text = figures.map { "\($0.name) \($0.value.fixed(4))" }.joined(separator: " ")
      var output = OutputQueue()
      guard try output.write(Array("\(text)\n".utf8)) != .closed else { return }
      try output.finish(within: .seconds(10))
    }
  }

  private static func instrument(_ name: String) throws -> any Instrument {
    switch name {
    case "table": try TableInstrument()
    case "join": try JoinInstrument(.lookup)
    case "join-bpf": try JoinInstrument(.calls)
    case "join-bpf-5.8": try JoinInstrument(.packets)
    case "owners": try OwnersInstrument()
    case "witness": try WitnessInstrument(.calls)
    case "witness-5.8": try WitnessInstrument(.packets)
    case "aggregation": try AggregationInstrument()
    default: throw KernelError.unsupported("the instrument `\(name)`")
    }
  }
}
