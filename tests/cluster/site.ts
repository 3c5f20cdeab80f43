import { ECHO } from "./images.ts";

/** Objects as users write them. */

export function gateway(name: string, namespace: string, listeners = HTTP): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  gatewayClassName: novaedge
  listeners: ${listeners}
`;
}

export const HTTP = "[{ name: http, port: 80, protocol: HTTP }]";
export const BOTH = `
    - { name: http, port: 80, protocol: HTTP }
    - name: https
      port: 443
      protocol: HTTPS
      tls: { certificateRefs: [{ name: site }] }`;

export function route(name: string, namespace: string, parent: string, service: string): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  parentRefs: [{ name: ${parent} }]
  rules: [{ backendRefs: [{ name: ${service}, port: 80 }] }]
`;
}

/** A Deployment that answers with where it runs, and goes as good citizens do; with its Service. */
export function backend(name: string, namespace: string, replicas = 3): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  replicas: ${replicas}
  strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      terminationGracePeriodSeconds: 10
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          nodeTaintsPolicy: Honor
          labelSelector: { matchLabels: { app: ${name} } }
          matchLabelKeys: [pod-template-hash]
      containers:
        - name: echo
          image: ${ECHO}
          imagePullPolicy: IfNotPresent
          env:
            - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
            - { name: NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
          readinessProbe: { httpGet: { path: /health, port: 3000 }, periodSeconds: 1 }
          lifecycle: { preStop: { sleep: { seconds: 4 } } }
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  selector: { app: ${name} }
  ports: [{ port: 80, targetPort: 3000 }]
`;
}

export function namespace(name: string): string {
  return `apiVersion: v1
kind: Namespace
metadata: { name: ${name} }
`;
}
