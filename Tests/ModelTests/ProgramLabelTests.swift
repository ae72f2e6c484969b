import Model
import Testing

/// Command lines as a narrow column shows them.
@Suite struct ProgramLabelTests {
  @Test(arguments: [
    ("/home/web/.venvs/shop/bin/python3 /srv/shop/serve.py --port 80", "serve.py --port 80"),
    ("/usr/bin/python3.11 -u -m http.server 8000", "http.server 8000"),
    ("python3 -mpip install x", "pip install x"),
    ("/usr/bin/python3 -c print(1)", "python3 -c print(1)"),
    ("/usr/bin/curl -s https://h/a/b", "curl -s https://h/a/b"),
    ("curl", "curl"), ("./a.out  x", "a.out x"),
    ("/usr/lib/jvm/17/bin/java -Xmx1g -jar /opt/shop/shop.jar --server", "shop.jar --server"),
    ("/bin/sh -e /etc/init.d/net start", "net start"), ("/bin/bash", "bash"), ("-bash", "-bash"),
    ("sh -c sleep 1; /bin/x", "sh -c sleep 1; /bin/x"),
    ("/usr/bin/env -i A=b /usr/bin/python3 /x/y.py z", "y.py z"), ("env", "env"),
    ("/bin/busybox wget http://h/", "wget http://h/"), ("/bin/busybox", "busybox"),
    // What programs call themselves.
    (
      "nginx: master process /usr/sbin/nginx -g daemon on;",
      "nginx: master process /usr/sbin/nginx -g daemon on;"
    ),
    ("sshd: user@pts/0", "sshd: user@pts/0"), ("postgres: checkpointer", "postgres: checkpointer"),
    ("[kworker/0:1]", "[kworker/0:1]"), ("", ""), ("/", "/"), ("..", ".."), (" ", " "),
  ])
  func `the program's name comes first, a script before its interpreter`(line: String, label: String) {
    #expect(ProgramName.label(ofCommandLine: line) == label)
  }
}
