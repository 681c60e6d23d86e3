package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"suitesign/migrations/pglocal"
)

// server is the PostgreSQL of the whole run; every test has a database of its own.
var server struct {
	url  string // of the database postgres, as superuser
	from string // testcontainers or local binaries
	stop func()
}

const localBinaries = "local binaries"

// startPostgres starts the server of the run.
func startPostgres(ctx context.Context) error {
	if dockerAnswers(ctx) {
		return startContainer(ctx)
	}
	if os.Getenv("SUITESIGN_TEST_REQUIRE_DOCKER") != "" {
		return fmt.Errorf("SUITESIGN_TEST_REQUIRE_DOCKER is set and no Docker engine answers")
	}
	local, err := pglocal.Start(ctx, pglocal.Config{})
	if err != nil {
		return err
	}
	server.url, server.from = local.URL("postgres"), localBinaries
	server.stop = func() { _ = local.Stop(context.Background()) }
	return nil
}

func dockerAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "info").Run() == nil
}

// builtImage is what image.sh makes of the PostgreSQL that is installed here.
const builtImage = "suitesign-postgres:test"

// startContainer runs the image that SUITESIGN_TEST_POSTGRES_IMAGE names, else the
// one that image.sh makes, else the public one.
func startContainer(ctx context.Context) error {
	image := os.Getenv("SUITESIGN_TEST_POSTGRES_IMAGE")
	if image == "" {
		image = builtImage
		if exec.CommandContext(ctx, "docker", "image", "inspect", image).Run() != nil && exec.CommandContext(ctx, "./image.sh", image).Run() != nil {
			image = "postgres:17-alpine"
		}
	}
	// The reaper is an image of its own, from a registry that may be out of reach;
	// this run takes its container down itself. And inside of a container (there is
	// a /.dockerenv) it would look for the engine's ports on the gateway, although
	// an engine that was started beside it publishes them on loopback.
	for name, value := range map[string]string{"TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1"} {
		if os.Getenv(name) == "" {
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
	}
	c, err := testcontainers.Run(ctx, image,
		testcontainers.WithExposedPorts("5432/tcp"),
		testcontainers.WithEnv(map[string]string{"POSTGRES_HOST_AUTH_METHOD": "trust"}),
		testcontainers.WithCmdArgs("-c", "max_connections=300", "-c", "fsync=off"),
		// The log, not the port: a proxy answers on the port before PostgreSQL does.
		testcontainers.WithWaitStrategy(wait.ForLog("database system is ready to accept connections").
			WithStartupTimeout(90*time.Second)))
	if err != nil {
		return fmt.Errorf("start %s through testcontainers: %w", image, err)
	}
	server.stop = func() { _ = testcontainers.TerminateContainer(c) }
	host, err := c.Host(ctx)
	if err != nil {
		return err
	}
	port, err := c.MappedPort(ctx, "5432/tcp")
	if err != nil {
		return err
	}
	server.from = "testcontainers, " + image
	server.url = "postgres://postgres@" + net.JoinHostPort(host, port.Port()) + "/postgres?sslmode=disable"
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := pgx.Connect(ctx, server.url)
		if err == nil {
			return conn.Close(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL in the container does not answer: %w", err)
		}
		time.Sleep(100 * time.Millisecond) // between tries to connect
	}
}

// newDatabase makes an empty database that goes away with the test.
func newDatabase(t *testing.T) string {
	t.Helper()
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	name := "e2e_" + hex.EncodeToString(b)
	admin(t, `CREATE DATABASE `+name)
	t.Cleanup(func() { admin(t, `DROP DATABASE `+name+` WITH (FORCE)`) })
	u, err := url.Parse(server.url)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// admin runs a statement on the server's own database, as superuser.
func admin(t *testing.T, sql string) {
	t.Helper()
	execute(t, server.url, sql)
}

// execute runs statements on a database, as superuser.
func execute(t *testing.T, database, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
