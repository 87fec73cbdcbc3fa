package main

import (
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"
)

const description = "Freshet keeps read models fresh: one GraphQL file says what a document is made of, " +
	"Freshet follows the tables' write-ahead log, keeps a table of ready documents exact, and serves it over GraphQL."

// cli is the grammar of the command line. Every flag is also a key of the
// --config file, by its own name, and an environment variable, FRESHET_ and
// its name; but those with env:"-", which make sense for one call only.
type cli struct {
	Config      string `help:"YAML file; its keys are the names of flags." placeholder:"FILE"`
	DatabaseURL string `name:"database-url" help:"The source database: postgres://USER:PASSWORD@HOST:PORT/DATABASE. DATABASE_URL is the fallback." placeholder:"URL"`
	Slot        string `help:"Replication slot." default:"freshet"`
	Publication string `help:"Publication." default:"freshet"`
	LogFormat   string `help:"${enum}." enum:"console,json" default:"console"`
	LogLevel    string `help:"${enum}." enum:"debug,info,warn,error" default:"info"`

	Version kong.VersionFlag `help:"Print the version." env:"-"`

	Demo      demoCmd      `cmd:"" help:"See it work: a throwaway Postgres with an example, its data, and a writer."`
	Run       runCmd       `cmd:"" help:"Projector and API in one process: the default on one machine."`
	Projector projectorCmd `cmd:"" help:"The projector alone."`
	API       apiCmd       `cmd:"" name:"api" help:"The API alone, as many as there is traffic for."`
	Check     checkCmd     `cmd:"" help:"All that would go wrong, before it does, each with its remedy."`
	Migrate   migrateCmd   `cmd:"" help:"Print what the database needs; --apply does it."`
	Verify    verifyCmd    `cmd:"" help:"Compare the documents with their definition."`
	Status    statusCmd    `cmd:"" help:"How far the documents are, and what waits."`
	Log       logCmd       `cmd:"" help:"What was rebuilt when, how long it took, why it failed."`
	Resync    resyncCmd    `cmd:"" help:"Rebuild some documents, or a whole read model."`
	Destroy   destroyCmd   `cmd:"" help:"Remove everything of Freshet's from the database; asks first."`

	Init       initCmd       `cmd:"" help:"Write a first model file from a database's tables."`
	Schema     schemaCmd     `cmd:"" help:"Print the GraphQL schema that clients are served."`
	Settings   configCmd     `cmd:"" name:"config" help:"Print the settings in force, and where each comes from."`
	Health     healthCmd     `cmd:"" help:"Ask a running freshet how it is; for containers."`
	Completion completionCmd `cmd:"" help:"Print completion for a shell."`
	Complete   completeCmd   `cmd:"" name:"__complete" hidden:""`

	getenv func(string) string
}

// modelFlag is that of every command that goes by a model file.
type modelFlag struct {
	Model string `short:"m" help:"GraphQL file that defines the read models." placeholder:"FILE"`
}

// serveFlags are those of every command that serves.
type serveFlags struct {
	Admin string `help:"Address of /status, /metrics, /healthz and /readyz." default:"127.0.0.1:9090" placeholder:"HOST:PORT"`
}

// apiFlags are those of every command with an API.
type apiFlags struct {
	Listen     string `help:"Address of /graphql, and of GraphiQL at /." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	CacheBytes int64  `help:"Memory for cached documents, in bytes; 0 turns the cache off." default:"67108864"`

	Origins       []string `help:"Origins whose pages may read answers (CORS), such as https://app.example; * for all." placeholder:"ORIGIN"`
	Documents     string   `help:"File of trusted GraphQL documents, which requests name by their id." placeholder:"FILE"`
	DocumentsOnly bool     `help:"Answer the trusted documents and nothing else."`
	Introspection bool     `help:"Tell clients of the schema." default:"true" negatable:""`
	GlobalIDs     bool     `name:"global-ids" help:"Serve node(id:), and a nodeId of each document."`
	MaxConcurrent int      `help:"Requests answered at once; others wait their turn." default:"256"`
	MaxComplexity int      `help:"Values that one query may yield, with the pages it asks for." default:"100000"`

	WaitTimeout time.Duration `help:"How long a read waits for data as fresh as it asks for." default:"200ms"`

	liveFlags
}

// projectorFlags are those of every command with a projector.
type projectorFlags struct {
	Migrate      bool          `help:"Apply what migrate prints first."`
	Workers      int           `help:"Connections that fill in a backfill; 0: one for each processor." default:"0"`
	RecreateSlot bool          `help:"Make a new slot and rebuild every document: for a slot that was lost, or a database restored from a backup. Use it for one start."`
	Retention    time.Duration `help:"How long sync_log is kept." default:"168h"`
	FanOutLimit  int           `help:"Documents of a type that one changed row may lead to within its transaction's batch. More are done in chunks, so that what is committed behind does not wait; readers may see a part of them meanwhile. -1: always whole." default:"2000"`

	Lease    time.Duration `help:"How long a leading projector may give no sign of life before one that stands by takes over, and a connection be dead before it is given up. The same for all projectors of a slot." default:"10s"`
	SlotWait time.Duration `help:"How long the creation of the slot waits for running transactions to end, before it is given up and tried again." default:"1m"`
}

// version is set by the build.
var version = ""

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
