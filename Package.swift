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
let fuzzed: [Target.Dependency] = [
  "SystemRuntime", "Channel", "Netfilter", "Ownership", "Model", "INI", "Probes", "Tstat", "CBPF",
  "KernelLab",
]
let isFuzzing = Context.environment["BWMON_FUZZ"] != nil
let fuzz: Target =
  isFuzzing
  ? .executableTarget(
    name: "fuzz",
    dependencies: fuzzed,
    path: "Tests/Fuzz",
    exclude: ["Corpus", "FuzzTests.swift"],
    swiftSettings: strict)
  : .testTarget(
    name: "FuzzTests",
    dependencies: fuzzed,
    path: "Tests/Fuzz",
    exclude: ["Corpus", "Main.swift"],
    swiftSettings: strict)

let package = Package(
  name: "bwmon",
  products: [
    .executable(name: "runmonitor", targets: ["runmonitor"]),
    .executable(name: "runpipe", targets: ["runpipe"]),
    .executable(name: "runaggregator", targets: ["runaggregator"]),
    .executable(name: "connvitals", targets: ["connvitals"]),
    .executable(name: "connmonitor", targets: ["connmonitor"]),
    .executable(name: "netconnmon", targets: ["netconnmon"]),
    .executable(name: "tstat_send", targets: ["tstat_send"]),
    .executable(name: "tstat_cull", targets: ["tstat_cull"]),
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
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl"), .linkedLibrary("crypto")]),
    module("Curl", ["Model", "SystemRuntime", "CCurl"]),
    .target(
      name: "CRabbitMQ",
      linkerSettings: [.linkedLibrary("rabbitmq"), .linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CCrypto"),
    .target(name: "CLinux"),
    .systemLibrary(name: "CNetlink"),
    // The BPF program is compiled apart (`make bpf`) and embedded.
    .target(name: "CBPF", exclude: ["program"], linkerSettings: [.linkedLibrary("bpf")]),
    module("SystemRuntime", ["Model", "CLinux", systemPackage]),
    module("Channel", ["Model", "SystemRuntime"]),
    module("Netfilter", ["Model", "SystemRuntime", "CLinux", "CNetlink", "CBPF", systemPackage]),
    module("Ownership", ["Model", "SystemRuntime", "Netfilter", systemPackage]),
    module("Diagnosis", ["Model", "SystemRuntime", "Netfilter", "Ownership", systemPackage]),

    // Abilities: they never import each other.
    module("Monitors", ["Model", "INI", "Patterns", "SystemRuntime", "Netfilter", "Ownership", "Diagnosis"]),
    module("Pipes", ["Model", "INI", "SystemRuntime", "Netfilter", "Ownership", systemPackage]),
    module("Probes", ["Model", "INI", "Curl", "SystemRuntime", systemPackage]),
    module("Aggregation", ["Model", "INI", "Patterns"]),
    module("Output", ["Model"]),
    module("Notifications", ["Model", "INI", "SystemRuntime", "Curl", subprocess, systemPackage]),

    module("Tstat", ["Model", "SystemRuntime", "CZlib", "CCrypto", systemPackage]),
    module("AMQP", ["Model", "INI", "SystemRuntime", "CRabbitMQ", systemPackage]),
    module("HTTPRecords", ["Model", "INI", "SystemRuntime", "Curl"]),
    module("Publishing", ["Model", "INI", "SystemRuntime", systemPackage]),

    // Programs.
    module(
      "Program",
      [
        "Model", "INI", "SystemRuntime", "Output", arguments,
      ]),
    // What programs share that read the connection table, themselves or by a sensor.
    module(
      "Metering",
      [
        "Program", "Model", "Channel", "SystemRuntime", "Netfilter", "Ownership", "Diagnosis", "Output",
        arguments,
      ]),
    program(
      "runmonitor",
      [
        "Program", "Metering", "Model", "Patterns", "Channel", "SystemRuntime", "Netfilter", "Ownership",
        "Monitors",
        "Output",
        arguments,
      ]),
    program(
      "runpipe",
      ["Program", "Model", "SystemRuntime", "Pipes", "Output", arguments]),
    program(
      "runaggregator",
      [
        "Program", "Metering", "Model", "INI", "Patterns", "Channel", "SystemRuntime", "Monitors", "Pipes",
        "Probes", "Aggregation", "Output", "Notifications", "Publishing", "HTTPRecords", "AMQP", "Curl",
        arguments,
      ]),

    program("connvitals", ["Program", "Model", "SystemRuntime", "Probes", "Output", arguments]),
    program(
      "connmonitor",
      ["Program", "Model", "INI", "SystemRuntime", "Probes", "Output", systemPackage, arguments]),
    program(
      "netconnmon",
      [
        "Program", "Model", "SystemRuntime", "Probes", "Output", "Notifications", "Curl", systemPackage,
        arguments,
      ]),

    program(
      "tstat_send",
      [
        "Program", "Model", "INI", "SystemRuntime", "Tstat", "AMQP", "HTTPRecords", "Curl", systemPackage,
        arguments,
      ]),
    program(
      "tstat_cull", ["Program", "Model", "SystemRuntime", "Tstat", "Output", systemPackage, arguments]),

    // The laboratory: private network namespaces, the programs in them, traffic of known size.
    .target(
      name: "Lab", path: "Tests/Lab", resources: [.copy("Fixtures")], swiftSettings: strict),
    // What the tests of the kernel's modules share: sockets, processes, namespaces and records of this process's own.
    .target(
      name: "KernelLab", dependencies: ["Model", "SystemRuntime", "Netfilter", "CBPF"],
      path: "Tests/KernelLab",
      swiftSettings: strict),
    .executableTarget(
      name: "traffic", path: "Tests/Traffic", cSettings: [.treatAllWarnings(as: .error)]),
    .executableTarget(
      name: "fakenet", path: "Tests/FakeNetwork", cSettings: [.treatAllWarnings(as: .error)]),

    // Tests.
    // What decodes the kernel's messages besides us; no program links it.
    .systemLibrary(name: "CNetfilterConntrack"),
    tests("ModelTests", ["Model"]),
    tests("INITests", ["INI", "Lab"]),
    tests("PatternsTests", ["Patterns"]),
    tests("ChannelTests", ["Channel", "Model", "SystemRuntime", "Lab"]),
    tests("SystemRuntimeTests", ["SystemRuntime", "Model", "CLinux", "KernelLab", "Lab", systemPackage]),
    tests(
      "NetfilterTests",
      [
        "Netfilter", "SystemRuntime", "Model", "CBPF", "CNetlink", "CNetfilterConntrack", "KernelLab", "Lab",
        systemPackage,
      ]),
    tests(
      "OwnershipTests",
      ["Ownership", "Netfilter", "SystemRuntime", "Model", "CBPF", "KernelLab", "Lab", systemPackage]),
    tests(
      "DiagnosisTests",
      ["Diagnosis", "Ownership", "Netfilter", "SystemRuntime", "Model", "KernelLab", "Lab", systemPackage]),
    fuzz,
    tests(
      "MonitorsTests",
      ["Monitors", "Model", "INI", "SystemRuntime", "Netfilter", "Ownership", "Lab"]),
    tests("PipesTests", ["Pipes", "Model", "INI", "SystemRuntime", "Netfilter", "Lab"]),
    tests("ProbesTests", ["Probes", "Curl", "Model", "INI", "SystemRuntime", "Lab", systemPackage]),
    tests(
      "HubTests", ["runaggregator", "Notifications", "Aggregation", "Model", "SystemRuntime", "Lab"]),
    tests("ConnectivityMailTests", ["netconnmon", "Notifications", "Lab"]),
    tests("AggregationTests", ["Aggregation", "Model", "INI", "Lab"]),
    tests("OutputTests", ["Output", "Model"], fixtures: true),
    tests(
      "StatusTests",
      ["Program", "Metering", "Channel", "SystemRuntime", "Diagnosis", "Model", systemPackage, arguments]),
    tests("CurlTests", ["Curl", "Lab"]),
    tests(
      "NotificationsTests",
      ["Notifications", "Curl", "SystemRuntime", "Model", "INI", "Lab", systemPackage]),
    tests("TstatTests", ["Tstat", "Model", "SystemRuntime", "Lab", systemPackage], fixtures: true),
    tests("AMQPTests", ["AMQP", "Model", "INI", "SystemRuntime", "Lab"]),
    tests("HTTPRecordsTests", ["HTTPRecords", "Curl", "Model", "INI", "Lab"]),
    tests("PublishingTests", ["Publishing", "Model", "INI", "SystemRuntime", "Lab"]),
    .executableTarget(
      name: "benchmark",
      dependencies: [
        "CNetlink", "CNetfilterConntrack", "Aggregation", "Channel", "INI", "SystemRuntime", "Netfilter",
        "Ownership",
        "Model",
        "Monitors", systemPackage,
      ],
      path: "Tests/Benchmarks/Instruments", swiftSettings: strict),
    .testTarget(
      name: "FakeNetworkTests", dependencies: ["Lab"], exclude: ["Fixtures"], swiftSettings: strict),
    // connvitals and connmonitor; apart from ProgramTests, which build and run much longer.
    .testTarget(
      name: "ProbeProgramTests", dependencies: ["Lab"], exclude: ["Fixtures"], swiftSettings: strict),
    // tstat_send, with a broker and a web server of the tests' own.
    tests("TstatProgramTests", ["CCrypto", "Lab"]),
    .testTarget(
      name: "ProgramTests", dependencies: ["Lab"], exclude: ["Fixtures"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)

// Races are looked for in Pipes alone (Tests/Checks/check.sh): no more is built for it.
if Context.environment["BWMON_THREADS"] != nil {
  let needed: Set = [
    "Model", "INI", "CLinux", "SystemRuntime", "CNetlink", "CBPF", "Netfilter", "Ownership", "Pipes",
    "traffic",
    "Lab", "PipesTests",
  ]
  package.products = []
  package.targets.removeAll { !needed.contains($0.name) }
}
