// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], fixtures: Bool = false) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, resources: fixtures ? [.copy("Fixtures")] : [],
    swiftSettings: strict)
}

// The fuzzer (`make fuzz`); for everybody else its targets are a test of the corpus.
let isFuzzing = Context.environment["BWMON_FUZZ"] != nil
let fuzz: Target =
  isFuzzing
  ? .executableTarget(
    name: "fuzz", dependencies: ["Kernel", "Model"], path: "Tests/Fuzz",
    exclude: ["Corpus", "FuzzTests.swift"],
    swiftSettings: strict)
  : .testTarget(
    name: "FuzzTests", dependencies: ["Kernel", "Model"], path: "Tests/Fuzz",
    exclude: ["Corpus", "Main.swift"],
    swiftSettings: strict)

let package = Package(
  name: "bwmon",
  products: [
    .executable(name: "runmonitor", targets: ["runmonitor"]),
    .executable(name: "runpipe", targets: ["runpipe"]),
    .executable(name: "runaggregator", targets: ["runaggregator"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2", traits: []),
  ],
  targets: [
    // Ground.
    module("Model"),
    module("INI"),
    .systemLibrary(name: "CPCRE2"),
    module("Patterns", ["CPCRE2"]),
    .target(name: "CLinux"),
    .systemLibrary(name: "CNetfilterConntrack"),
    // The BPF program is compiled apart (`make bpf`) and embedded.
    .target(name: "CBPF", exclude: ["program"], linkerSettings: [.linkedLibrary("bpf")]),
    module("Kernel", ["Model", "CLinux", "CNetfilterConntrack", "CBPF", systemPackage]),

    // Abilities: they never import each other.
    module("Monitors", ["Model", "INI", "Patterns", "Kernel"]),
    module("Pipes", ["Model", "INI", "Kernel", systemPackage]),
    module("Aggregation", ["Model", "INI", "Patterns"]),
    module("Output", ["Model"]),
    module("Notifications", ["Model", "INI", subprocess, systemPackage]),

    // Programs.
    module("Program", ["Model", "INI", "Kernel", "Output", arguments]),
    program("runmonitor", ["Program", "Model", "Patterns", "Kernel", "Monitors", "Output", arguments]),
    program("runpipe", ["Program", "Model", "Kernel", "Pipes", "Output", arguments]),
    program(
      "runaggregator",
      [
        "Program", "Model", "INI", "Patterns", "Kernel", "Monitors", "Pipes", "Aggregation", "Output",
        "Notifications", arguments,
      ]),

    // The laboratory: private network namespaces, the programs in them, traffic of known size.
    .target(
      name: "Lab", path: "Tests/Lab", resources: [.copy("Fixtures")], swiftSettings: strict),
    .executableTarget(
      name: "traffic", path: "Tests/Traffic", cSettings: [.treatAllWarnings(as: .error)]),

    // Tests.
    tests("ModelTests", ["Model"]),
    tests("INITests", ["INI", "Lab"]),
    tests("PatternsTests", ["Patterns"]),
    tests("KernelTests", ["Kernel", "Model", "CBPF", "CNetfilterConntrack", "Lab"]),
    fuzz,
    tests("MonitorsTests", ["Monitors", "Model", "INI", "Kernel", "Lab"]),
    tests("PipesTests", ["Pipes", "Model", "INI", "Kernel", "Lab"]),
    tests("AggregationTests", ["Aggregation", "Model", "INI", "Lab"]),
    tests("OutputTests", ["Output", "Model"], fixtures: true),
    tests("StatusTests", ["Program", "Kernel", "Model", systemPackage, arguments]),
    tests("NotificationsTests", ["Notifications", "Model", "INI"]),
    .executableTarget(
      name: "benchmark",
      dependencies: [
        "CNetfilterConntrack", "Aggregation", "INI", "Kernel", "Model", "Monitors", systemPackage,
      ],
      path: "Tests/Benchmarks/Instruments", swiftSettings: strict),
    .testTarget(
      name: "ProgramTests", dependencies: ["Lab"], exclude: ["Fixtures"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
